"""The recurrent classifier: embedding, LSTM or GRU, pooling over time, linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sentexp.embedding.table import OneHot
from sentexp.errors import did_you_mean
from sentexp.model.pooling import Pooling
from sentexp.model.recurrent import GRU, LSTM, check_lengths, layers_of
from sentexp.model.word_dropout import WordDropout

# Shapes: B reviews in a batch, T tokens in the longest of them, E embedding.dim, H hidden_size, D directions (1 or 2),
# L num_layers, C classes

CELLS: dict[str, type[LSTM] | type[GRU]] = {"lstm": LSTM, "gru": GRU}


class RecurrentClassifier(nn.Module):
    """LSTM or GRU over the word vectors of a review, pooled over time, then a linear layer.

    `embedding` is an nn.Embedding or a OneHot; `unk_index` is the id that word dropout puts in place of others.
    `rnn` has the parameters of nn.LSTM or nn.GRU under the same names. With `ignore_padding=False` padding is treated
    as text, so that a review's logits depend on its batch: a mistake of many tutorials, kept to show its effect.
    With `thaw_after` the linear layer is trained alone in that many first epochs, then the top recurrent layer as well,
    and with each further epoch the next layer below, the embedding last (Howard & Ruder, 2018, section 3.3).

    Under `torch.autocast` the recurrent layers run in autocast's type; the pooled vectors and the logits are float32.
    Raises ValueError for an unknown `cell` or `pooling` and for fewer than two classes.
    """

    def __init__(
        self,
        embedding: nn.Embedding | OneHot,
        num_classes: int,
        unk_index: int,
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        pooling: str = "last",
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.0,
        ignore_padding: bool = True,
        thaw_after: int | None = None,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell={cell}: not one of {', '.join(CELLS)}{did_you_mean(cell, CELLS)}")
        if num_classes < 2:
            raise ValueError(f"num_classes={num_classes}: expected 2 or more")
        self.ignore_padding = ignore_padding
        self.thaw_after = thaw_after
        self.word_dropout = WordDropout(word_dropout, unk_index)
        self.embedding = embedding
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.rnn = CELLS[cell](
            embedding.embedding_dim,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout,
            bidirectional=bidirectional,
        )
        self.pooling = Pooling(pooling, hidden_size * (2 if bidirectional else 1))
        self.output_dropout = nn.Dropout(output_dropout)
        self.head = nn.Linear(self.pooling.output_size, 1 if num_classes == 2 else num_classes)

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer from the top: pooling and linear layer, recurrent layers, embedding."""
        top = [*self.pooling.parameters(), *self.head.parameters()]
        return [top, *layers_of(self.rnn), list(self.embedding.parameters())]

    def start_epoch(self, epoch: int) -> None:
        """Freeze the layers whose turn has not come in `epoch`, counted from 1; thaw the others.

        To be called after the embedding's own start_epoch, if it has one: what that keeps frozen stays so. Nothing else
        matters, so a run can be resumed anywhere.
        """
        if self.thaw_after is None:
            return
        *recurrent, words = self.layers()[1:]
        for depth, layer in enumerate(recurrent):
            for parameter in layer:
                parameter.requires_grad_(epoch > self.thaw_after + depth)
        frozen = epoch <= self.thaw_after + len(recurrent)
        for parameter in words if frozen or not hasattr(self.embedding, "start_epoch") else ():
            parameter.requires_grad_(not frozen)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits: [B] of class 1 for two classes, [B, C] for more.

        `ids` are token ids [B, T], right-padded with any id, `lengths` [B] the tokens of each review.
        Raises ValueError for an empty batch and for lengths outside 1..T.
        """
        check_lengths(lengths, *ids.shape)
        if isinstance(self.embedding, OneHot):
            ids = self.word_dropout(ids)                                       # [B, T]
            return self._run(ids, lengths, self.scale_of_one_hot(ids))
        return self.classify(self.embed(ids), lengths)                         # [B] or [B, C]

    def embed(self, ids: Tensor) -> Tensor:
        """Return the vectors [B, T, E] of `ids` [B, T], after dropout of words and vectors."""
        # Looked up time-major, the order in which the recurrent layer runs: the transpose back is only a view.
        vectors: Tensor = self.embedding_dropout(self.embedding(self.word_dropout(ids).t()))  # [T, B, E]
        return vectors.transpose(0, 1)                                         # [B, T, E]

    def classify(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Compute the logits, as `forward`, from vectors [B, T, E]."""
        return self._run(vectors, lengths)

    def _run(self, inputs: Tensor, lengths: Tensor, scale: Tensor | None = None) -> Tensor:
        lengths = lengths.to(inputs.device)
        if not self.ignore_padding:
            lengths = torch.full_like(lengths, inputs.shape[1])
        outputs, h_n = self.rnn(inputs, lengths, scale)                        # [B, T, D*H], [L*D, B, H]
        with torch.autocast(inputs.device.type, enabled=False):
            last = torch.cat(h_n[-2:].unbind() if self.rnn.bidirectional else h_n[-1:].unbind(), dim=1)  # [B, D*H]
            pooled = self.pooling(outputs, last, lengths).to(self.head.weight.dtype)   # [B, D*H], concat [B, 3*D*H]
            logits: Tensor = self.head(self.output_dropout(pooled))            # [B, 1] or [B, C]
        return logits.squeeze(1) if self.head.out_features == 1 else logits    # [B] or [B, C]

    def scale_of_one_hot(self, ids: Tensor) -> Tensor | None:
        """Return embedding dropout's factor [B, T] for the 1 of each one-hot vector; None if there is no dropout."""
        ones = torch.ones(ids.shape, device=ids.device)
        scale = self.embedding_dropout(ones)
        return None if scale is ones else scale
