from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sentexp.embedding.table import Embedding, OneHot
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.language_model import LanguageModel

# Shapes: S streams, L tokens of a segment, D directions, V tokens in the vocabulary, E, H, M layers, K states

V, E, H = 40, 6, 5
EVERY_CELL = pytest.mark.parametrize("cell", ["lstm", "gru"])
SHAPES = pytest.mark.parametrize(
    ("num_layers", "bidirectional"), [(1, False), (3, False), (1, True)], ids=["one_way", "deep", "both_ways"]
)


def model_of(cell="lstm", num_layers=1, bidirectional=False, cutoffs=(10, 25), dtype=torch.float64, **more):
    torch.manual_seed(3)
    classifier = RecurrentClassifier(
        Embedding(torch.randn(V, E)), 2, 0, cell, H, num_layers, bidirectional=bidirectional, **more
    )
    return LanguageModel(classifier, cutoffs).to(dtype)


def text(tokens: int, streams: int = 3) -> Tensor:
    return torch.randint(0, V, (streams, tokens), generator=torch.Generator().manual_seed(1))


def segment(streams: Tensor, start: int, stop: int, directions: int) -> Tensor:
    """Tokens start..stop of each stream and, as the second direction, of each stream mirrored: [S, D, stop - start]."""
    return torch.stack([streams, streams.flip(1)][:directions], 1)[:, :, start:stop]


def cell_of(rnn: nn.RNNBase, number: int, backward: bool) -> nn.RNNCellBase:
    kind = nn.LSTMCell if rnn.mode == "LSTM" else nn.GRUCell
    cell = kind(rnn.input_size if number == 0 else rnn.hidden_size, rnn.hidden_size, dtype=torch.float64)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        delattr(cell, name)
        setattr(cell, name, getattr(rnn, f"{name}_l{number}" + "_reverse" * backward))  # shared, with its gradient
    return cell


def slow_loss(model: LanguageModel, streams: Tensor) -> Tensor:
    """Sum of -log p of all tokens but a stream's first, one token of one stream at a time, from written-out softmax."""
    loss = torch.zeros((), dtype=torch.float64)
    for backward in (False, True)[: model.directions]:
        cells = [cell_of(model.rnn, number, backward) for number in range(model.rnn.num_layers)]
        for stream in streams.flip(1) if backward else streams:
            states: list = [None] * len(cells)
            for token, following in pairwise(stream):
                value = model.embedding.weight[token].unsqueeze(0)
                for number, cell in enumerate(cells):
                    states[number] = cell(value, states[number])
                    value = states[number][0] if isinstance(cell, nn.LSTMCell) else states[number]
                loss = loss - log_probability(model, value, int(following))
    return loss


def log_probability(model: LanguageModel, features: Tensor, token: int) -> Tensor:
    softmax, head = model.softmax, model.softmax.head(features).log_softmax(1)[0]
    for number, tail in reversed(list(enumerate(softmax.tails))):
        if token >= softmax.bounds[number]:
            within = F.linear(softmax.projections[number](features), tail.weight).log_softmax(1)[0]
            return head[softmax.bounds[0] + number] + within[token - softmax.bounds[number]]
    return head[token]


@EVERY_CELL
@SHAPES
def test_loss_and_gradients_are_those_of_a_plain_loop_over_single_tokens(cell, num_layers, bidirectional):
    model, streams = model_of(cell, num_layers, bidirectional), text(9)
    loss, _ = model(segment(streams, 0, 9, model.directions), model.first_states(3))
    expected = slow_loss(model, streams)
    torch.testing.assert_close(loss, expected)
    inputs = list(model.parameters())
    for mine, reference in zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(mine, reference)


@EVERY_CELL
@SHAPES
def test_segments_with_carried_states_are_one_long_run(cell, num_layers, bidirectional):
    model, streams = model_of(cell, num_layers, bidirectional), text(20)
    whole, end = model(segment(streams, 0, 20, model.directions), model.first_states(3))
    states, losses = model.first_states(3), []
    for start, stop in ((0, 8), (7, 9), (8, 20)):  # the last token of one segment is the first of the next
        loss, states = model(segment(streams, start, stop, model.directions), states)
        losses.append(loss)
        assert not states.requires_grad
    torch.testing.assert_close(sum(losses), whole)
    torch.testing.assert_close(states, end)


@EVERY_CELL
def test_a_direction_never_sees_what_it_predicts(cell):
    model, streams = model_of(cell, bidirectional=True, dtype=torch.float64), text(12)
    for changed in range(2, 10):
        others = streams.clone()
        others[:, changed] = (others[:, changed] + 1) % V

        def losses(of: Tensor, stop: int, direction: int) -> Tensor:
            ids = segment(of, 0, stop, 2)
            ids[:, 1 - direction] = 0
            return model(ids, model.first_states(3))[0]

        assert torch.equal(losses(streams, changed, 0), losses(others, changed, 0))
        assert not torch.equal(losses(streams, changed + 1, 0), losses(others, changed + 1, 0))
        mirrored = 11 - changed
        assert torch.equal(losses(streams, mirrored, 1), losses(others, mirrored, 1))
        assert not torch.equal(losses(streams, mirrored + 1, 1), losses(others, mirrored + 1, 1))


def test_streams_do_not_touch_one_another():
    model, streams = model_of(bidirectional=True), text(9)
    ids, states = segment(streams, 0, 9, 2), torch.randn(3, 2, 1, 2, H, dtype=torch.float64)
    together, ends = model(ids, states)
    alone = [model(ids[[row]], states[[row]]) for row in range(3)]
    torch.testing.assert_close(sum(loss for loss, _ in alone), together)
    torch.testing.assert_close(torch.cat([end for _, end in alone]), ends)


@EVERY_CELL
@SHAPES
def test_bfloat16_is_close(cell, num_layers, bidirectional):
    model, streams = model_of(cell, num_layers, bidirectional, dtype=torch.float32), text(30)
    ids, states = segment(streams, 0, 30, model.directions), model.first_states(3)
    expected, end = model(ids, states)
    with torch.autocast("cpu", torch.bfloat16):
        loss, near = model(ids, states)
    assert loss.dtype == near.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=3e-3, atol=0)
    torch.testing.assert_close(near, end, rtol=0.05, atol=0.05)


def test_the_parts_are_the_classifiers_own_and_word_dropout_is_off():
    classifier = RecurrentClassifier(Embedding(torch.randn(V, E)), 2, 0, word_dropout=0.9, hidden_size=H)
    model = LanguageModel(classifier)
    assert model.embedding is classifier.embedding
    assert model.rnn is classifier.rnn
    shared = set(model.state_dict()) & set(classifier.state_dict())
    assert shared == {name for name in classifier.state_dict() if name.startswith(("embedding.", "rnn."))}
    ids = segment(text(9), 0, 9, 1)
    assert model(ids, model.first_states(3))[0] == model.eval()(ids, model.first_states(3))[0]


@pytest.mark.parametrize("where", ["embedding_dropout", "output_dropout", "dropout"])
def test_the_classifiers_dropouts_act_while_training(where):
    model = model_of(num_layers=2, **{where: 0.5})
    ids, states = segment(text(9), 0, 9, 1), model.first_states(3)
    assert model(ids, states)[0] != model(ids, states)[0]
    model.eval()
    assert model(ids, states)[0] == model(ids, states)[0]


def test_what_cannot_be_a_language_model_is_refused():
    with pytest.raises(ValueError, match="one-hot"):
        LanguageModel(RecurrentClassifier(OneHot(V), 2, 0))
    with pytest.raises(ValueError, match="2 layers would see what it predicts"):
        model_of(num_layers=2, bidirectional=True)
