from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sentexp.model.recurrent import GRU, LSTM, reverse_within

# Shapes: B reviews in a batch, T tokens in the longest of them, E input features, H hidden_size, D directions, L layers

ORACLES = {LSTM: nn.LSTM, GRU: nn.GRU}
EVERY_CELL = pytest.mark.parametrize("cell", [LSTM, GRU])
EVERY_DEPTH = pytest.mark.parametrize("num_layers", [1, 2, 3])
EVERY_DIRECTION = pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "both_ways"])
TOLERANCES = {torch.float32: {"rtol": 1e-5, "atol": 2e-6}, torch.float64: {"rtol": 1e-12, "atol": 1e-13}}


def pair(cell, num_layers=1, bidirectional=False, dtype=torch.float32, input_size=5, hidden_size=4, **more):
    ours = cell(input_size, hidden_size, num_layers, bidirectional=bidirectional, dtype=dtype, **more)
    theirs = ORACLES[cell](
        input_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional, dtype=dtype, **more
    )
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def packed(oracle: nn.RNNBase, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs [B, T, D*H], zero past the lengths, and h_n [L*D, B, H] of nn.LSTM or nn.GRU over packed input."""
    sequence = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    outputs, state = oracle(sequence)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
    return outputs, state[0] if isinstance(state, tuple) else state


def own(outputs: Tensor, lengths: Tensor) -> Tensor:
    """`outputs` with zeros past the lengths."""
    return outputs * (torch.arange(outputs.shape[1]) < lengths.unsqueeze(1)).unsqueeze(2)


def results_and_gradients(module: nn.RNNBase, outputs: Tensor, h_n: Tensor, inputs: Tensor) -> list[Tensor]:
    torch.manual_seed(5)
    weights, state_weights = (torch.randn(of.shape, dtype=of.dtype) for of in (outputs, h_n))
    loss = (outputs * weights).sum() + (h_n * state_weights).sum()
    return [outputs, h_n, *torch.autograd.grad(loss, [inputs, *module.parameters()])]


def assert_parity(ours, theirs, lengths: Tensor, dtype: torch.dtype) -> None:
    inputs = torch.randn(len(lengths), int(lengths.max()) + 2, ours.input_size, dtype=dtype, requires_grad=True)
    outputs, h_n = ours(inputs, lengths)
    got = results_and_gradients(ours, own(outputs, lengths), h_n, inputs)
    expected = results_and_gradients(theirs, *packed(theirs, inputs, lengths), inputs)
    for mine, reference in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, reference, **TOLERANCES[dtype])


@EVERY_CELL
@EVERY_DEPTH
@EVERY_DIRECTION
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_outputs_states_and_gradients_are_those_of_torch_over_packed_input(cell, num_layers, bidirectional, dtype):
    torch.manual_seed(num_layers)
    ours, theirs = pair(cell, num_layers, bidirectional, dtype)
    assert_parity(ours, theirs, torch.tensor([3, 7, 1, 7, 5, 2]), dtype)


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6), bidirectional=st.booleans())
def test_parity_holds_for_any_lengths(lengths, bidirectional):
    torch.manual_seed(0)
    ours, theirs = pair(LSTM, 2, bidirectional, torch.float64)
    assert_parity(ours, theirs, torch.tensor(lengths), torch.float64)


@EVERY_CELL
def test_parity_holds_without_biases(cell):
    ours, theirs = pair(cell, 2, True, bias=False)
    assert_parity(ours, theirs, torch.tensor([3, 1, 4]), torch.float32)


@EVERY_CELL
@EVERY_DIRECTION
def test_the_state_dict_moves_both_ways_and_initial_values_are_torchs(cell, bidirectional):
    torch.manual_seed(3)
    ours = cell(5, 4, 2, bidirectional=bidirectional)
    torch.manual_seed(3)
    theirs = ORACLES[cell](5, 4, 2, bidirectional=bidirectional)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


@EVERY_CELL
@EVERY_DIRECTION
def test_what_the_padding_holds_changes_nothing(cell, bidirectional):
    ours, _ = pair(cell, 2, bidirectional)
    lengths = torch.tensor([2, 6, 4])
    inputs = torch.randn(3, 6, 5)
    other = inputs + 1e3 * (torch.arange(6) >= lengths.unsqueeze(1)).unsqueeze(2)
    outputs, h_n = ours(inputs, lengths)
    other_outputs, other_h_n = ours(other, lengths)
    assert torch.equal(h_n, other_h_n)
    assert torch.equal(own(outputs, lengths), own(other_outputs, lengths))


@EVERY_CELL
@EVERY_DIRECTION
def test_no_gradient_reaches_the_padding(cell, bidirectional):
    ours, _ = pair(cell, 2, bidirectional)
    lengths = torch.tensor([2, 6, 4])
    inputs = torch.randn(3, 6, 5, requires_grad=True)
    outputs, h_n = ours(inputs, lengths)
    (own(outputs, lengths).sum() + h_n.sum()).backward()
    past = torch.arange(6) >= lengths.unsqueeze(1)
    assert inputs.grad is not None
    assert inputs.grad[past].abs().max() == 0
    assert inputs.grad[~past].abs().min() > 0


@EVERY_CELL
@EVERY_DIRECTION
def test_dropout_acts_between_layers_and_only_while_training(cell, bidirectional):
    dropping, plain = pair(cell, 2, bidirectional)
    dropping.dropout = 0.5
    inputs, lengths = torch.randn(4, 6, 5), torch.tensor([6, 3, 1, 5])
    assert not torch.allclose(dropping(inputs, lengths)[0], packed(plain, inputs, lengths)[0])
    first_layer = len(dropping(inputs, lengths)[1]) // 2
    expected = packed(plain, inputs, lengths)[1][:first_layer]
    torch.testing.assert_close(dropping(inputs, lengths)[1][:first_layer], expected)
    dropping.eval()
    torch.testing.assert_close(own(dropping(inputs, lengths)[0], lengths), packed(plain, inputs, lengths)[0])


@EVERY_CELL
@EVERY_DEPTH
@EVERY_DIRECTION
def test_token_ids_give_what_torch_gives_for_their_one_hot_vectors(cell, num_layers, bidirectional):
    vocabulary = 9
    ours, theirs = pair(cell, num_layers, bidirectional, torch.float64, input_size=vocabulary)
    lengths = torch.tensor([4, 7, 1])
    ids = torch.randint(0, vocabulary, (3, 7), dtype=torch.int32)
    scale = torch.rand(3, 7, dtype=torch.float64)
    for factors in (None, scale):
        vectors = F.one_hot(ids.long(), vocabulary).double() * (1 if factors is None else factors.unsqueeze(2))
        outputs, h_n = ours(ids, lengths, factors)
        got = results_and_gradients(ours, own(outputs, lengths), h_n, ours.weight_hh_l0)
        expected = results_and_gradients(theirs, *packed(theirs, vectors, lengths), theirs.weight_hh_l0)
        for mine, reference in zip(got, expected, strict=True):
            torch.testing.assert_close(mine, reference, **TOLERANCES[torch.float64])


@EVERY_CELL
@EVERY_DIRECTION
@pytest.mark.parametrize("one_hot", [False, True], ids=["vectors", "one_hot"])
def test_under_autocast_it_is_close_to_float32_and_gives_float32_gradients(cell, bidirectional, one_hot):
    torch.manual_seed(0)
    ours, _ = pair(cell, 2, bidirectional, input_size=32, hidden_size=32)
    lengths = torch.tensor([9, 20, 14])
    inputs = torch.randint(0, 32, (3, 20)) if one_hot else torch.randn(3, 20, 32)
    exact, exact_h_n = ours(inputs, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        near, near_h_n = ours(inputs, lengths)
    assert near.dtype == near_h_n.dtype == torch.bfloat16
    torch.testing.assert_close(own(near.float(), lengths), own(exact, lengths), rtol=0, atol=0.02)
    weights = list(ours.parameters())
    expected = torch.autograd.grad(exact_h_n.sum(), weights)
    for got, reference in zip(torch.autograd.grad(near_h_n.float().sum(), weights), expected, strict=True):
        assert got.dtype == torch.float32
        assert (got - reference).norm() <= 0.05 * reference.norm()


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_on_a_cpu_every_direction_of_every_layer_is_one_call_of_onednn_each_way(precision):
    if precision == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("processor without bf16 in oneDNN")
    ours, _ = pair(LSTM, 2, True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            outputs, _ = ours(torch.randn(2, 6, 5, requires_grad=True), torch.tensor([6, 3]))
        outputs.sum().backward()
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls["aten::mkldnn_rnn_layer"] == 4
    assert calls["aten::mkldnn_rnn_layer_backward"] == 4


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=9), min_size=1, max_size=5))
def test_each_row_is_reversed_within_its_length_and_padding_stays(rows):
    longest = max(map(len, rows)) + 1
    padded = torch.tensor([[*row, *range(100, 100 + longest - len(row))] for row in rows])
    expected = [[*row[::-1], *range(100, 100 + longest - len(row))] for row in rows]
    lengths = torch.tensor([len(row) for row in rows])
    assert reverse_within(padded, lengths).tolist() == expected
    assert torch.equal(reverse_within(reverse_within(padded, lengths), lengths), padded)


def test_the_gradient_of_reversing_is_right():
    values = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 1, 3])
    assert torch.autograd.gradcheck(lambda v: reverse_within(v, lengths), values)


@pytest.mark.parametrize(
    ("batch", "lengths", "words"),
    [
        (0, [], "a review"),
        (2, [3], "one each"),
        (2, [0, 3], "lengths from 0 to 3: expected 1 to 4"),
        (2, [2, 5], "lengths from 2 to 5: expected 1 to 4"),
    ],
)
def test_an_empty_batch_and_impossible_lengths_are_refused(batch, lengths, words):
    with pytest.raises(ValueError, match=words):
        LSTM(5, 4)(torch.randn(batch, 4, 5), torch.tensor(lengths, dtype=torch.int64))


def test_lengths_may_be_int32_and_the_batch_as_long_as_the_longest_review():
    ours, theirs = pair(LSTM, 1, True)
    for count, longest in itertools.product((1, 3), (1, 4)):
        inputs, lengths = torch.randn(count, longest, 5), torch.full((count,), longest, dtype=torch.int32)
        torch.testing.assert_close(ours(inputs, lengths)[0], packed(theirs, inputs, lengths.long())[0])


@EVERY_CELL
def test_vectors_of_another_size_are_refused_as_torch_does(cell):
    ours, _ = pair(cell)
    with pytest.raises(ValueError, match="vectors of 6 numbers: expected input_size=5"):
        ours(torch.randn(2, 3, 6), torch.tensor([3, 2]))


def test_projections_are_refused():
    with pytest.raises(ValueError, match="proj_size=2: expected 0"):
        LSTM(5, 4, proj_size=2)(torch.randn(2, 3, 5), torch.tensor([3, 2]))


@EVERY_CELL
@EVERY_DIRECTION
@pytest.mark.parametrize("num_layers", [1, 2])
def test_gradients_of_gradients_are_torchs(cell, bidirectional, num_layers):
    ours, theirs = pair(cell, num_layers, bidirectional, torch.float64)
    lengths, inputs = torch.tensor([5, 2, 4]), torch.randn(3, 5, 5, dtype=torch.float64, requires_grad=True)

    def second(outputs: Tensor) -> Tensor:
        (first,) = torch.autograd.grad(outputs.square().sum(), inputs, create_graph=True)
        return torch.autograd.grad(first.square().sum(), inputs)[0]

    mine, reference = second(own(ours(inputs, lengths)[0], lengths)), second(packed(theirs, inputs, lengths)[0])
    torch.testing.assert_close(mine, reference, **TOLERANCES[torch.float64])


@EVERY_CELL
@EVERY_DIRECTION
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 3e38])
def test_what_is_no_number_in_the_padding_reaches_no_gradient(cell, bidirectional, odd):
    ours, _ = pair(cell, 2, bidirectional)
    lengths, inputs = torch.tensor([4, 1, 2]), torch.randn(3, 4, 5)
    found = []
    for filling in (0.0, odd):
        filled = own(inputs, lengths) + torch.where(own(torch.ones_like(inputs), lengths) == 1, 0.0, filling)
        filled.requires_grad_()
        outputs, h_n = ours(filled, lengths)
        loss = h_n.sum() + sum(row[:length].sum() for row, length in zip(outputs, lengths, strict=True))
        found.append([h_n, *torch.autograd.grad(loss, [filled, *ours.parameters()])])
    for plain, other in zip(*found, strict=True):
        torch.testing.assert_close(other, plain)
