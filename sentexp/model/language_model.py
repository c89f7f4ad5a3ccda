"""Two language models that share their word vectors with a classifier: one predicts the next token, one the previous.

The forward direction of the classifier's recurrent layer reads a text from its beginning, the backward direction from
its end, and each predicts the token that it is about to read. Neither has seen it, so a classifier can start with
weights that know the language: Dai & Le (2015); both directions: Peters et al. (2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sentexp.embedding.table import OneHot
from sentexp.model.adaptive_softmax import AdaptiveSoftmax
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.recurrent import STATES, layers_of, parameters, pass_from

# Shapes: S streams of text side by side, L tokens of a segment of them, D directions (1 or 2), V tokens in the
# vocabulary, E embedding.dim, H hidden_size, M recurrent layers (num_layers), K states of a cell (2 in an LSTM, 1 in a
# GRU)


class LanguageModel(nn.Module):
    """Predicts each token from those before it and, if the classifier is bidirectional, from those after it.

    `embedding`, `rnn` and the dropouts are those of `classifier` and stay shared with it; `softmax` is one for both
    directions. Word dropout is left out. `cutoffs` are those of AdaptiveSoftmax.

    Raises ValueError for a classifier without a table of vectors, and for a bidirectional one with several layers: its
    second layer reads both directions of the first, and so would see the token that it is to predict.
    """

    def __init__(self, classifier: RecurrentClassifier, cutoffs: Sequence[int] = ()) -> None:
        super().__init__()
        if isinstance(classifier.embedding, OneHot):
            raise ValueError("a language model needs a table of word vectors, not one-hot vectors")
        rnn = classifier.rnn
        if rnn.bidirectional and rnn.num_layers > 1:
            raise ValueError(f"a bidirectional language model of {rnn.num_layers} layers would see what it predicts")
        self.embedding = classifier.embedding
        self.embedding_dropout = classifier.embedding_dropout
        self.rnn = rnn
        self.output_dropout = classifier.output_dropout
        self.softmax = AdaptiveSoftmax(rnn.hidden_size, self.embedding.num_embeddings, cutoffs)

    @property
    def directions(self) -> int:
        return 2 if self.rnn.bidirectional else 1

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer from the top: softmax, recurrent layers, embedding."""
        return [list(self.softmax.parameters()), *layers_of(self.rnn), list(self.embedding.parameters())]

    def first_states(self, streams: int) -> Tensor:
        """Return what `forward` is to carry into the first segment: zeros [S, D, M, K, H]."""
        rnn = self.rnn
        sizes = (streams, self.directions, rnn.num_layers, STATES[rnn.mode], rnn.hidden_size)
        return torch.zeros(sizes, dtype=self.embedding.weight.dtype, device=self.embedding.weight.device)

    def forward(self, ids: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Predict a segment: ids [S, D, L+1] of each stream, as each direction reads them, the backward one mirrored.

        Each direction reads its first L tokens and predicts its last L, beginning with `states` [S, D, M, K, H].
        Returns the sum of -log p over all S*D*L of them, in nats, and the states after token L, detached.

        Under `torch.autocast` it computes in autocast's type; the loss and the states are float32.
        """
        device = ids.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        read, targets = ids[:, :, :-1], ids[:, :, 1:].permute(1, 2, 0)         # [S, D, L], [D, L, S]
        with torch.autocast(device, enabled=False):
            vectors = self.embedding_dropout(self.embedding(read.permute(1, 2, 0)).to(dtype))  # [D, L, S, E]
            outputs, ends = [], []
            for direction, starts in enumerate(states.to(dtype).permute(1, 2, 3, 0, 4).unbind()):  # [M, K, S, H]
                layer, end = self._run(vectors[direction], starts, backward=direction == 1)
                outputs.append(layer)
                ends.append(end)
            features = self.output_dropout(torch.stack(outputs)).flatten(0, 2)  # [D*L*S, H]
            loss = self.softmax(features, targets.flatten())
        return loss, torch.stack(ends).permute(3, 0, 1, 2, 4).detach().to(states.dtype)

    def _run(self, layer: Tensor, starts: Tensor, backward: bool) -> tuple[Tensor, Tensor]:
        """Run all layers of one direction over vectors [L, S, E] from states [M, K, S, H]: [L, S, H], [M, K, S, H]."""
        ends = []
        for number, start in enumerate(starts.unsqueeze(2)):                   # [K, 1, S, H]
            if number > 0:
                layer = F.dropout(layer, self.rnn.dropout, self.training)
            of_cell = parameters(self.rnn, number, backward)
            layer, *end = pass_from([one.contiguous() for one in start], self.rnn, layer, of_cell)
            ends.append(torch.cat(end))                                        # [K, S, H]
        return layer, torch.stack(ends)
