from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.model.pooling import POOLINGS, Pooling, masked_sum


def by_hand(pooling: Pooling, outputs, last, lengths) -> list[list[float]]:
    """The definition in plain Python: [B, output_size]."""
    rows = []
    for vectors, state, length in zip(outputs.tolist(), last.tolist(), lengths.tolist(), strict=True):
        own = vectors[:length]
        features = list(zip(*own, strict=True))
        highest, mean = [max(f) for f in features], [sum(f) / length for f in features]
        if pooling.kind == "attention":
            (weight,) = pooling.score.weight.tolist()
            scores = [sum(w * math.tanh(v) for w, v in zip(weight, vector, strict=True)) for vector in own]
            shares = [math.exp(s) / sum(math.exp(other) for other in scores) for s in scores]
            rows.append([sum(share * v for share, v in zip(shares, f, strict=True)) for f in features])
        else:
            rows.append({"last": state, "max": highest, "mean": mean, "concat": state + highest + mean}[pooling.kind])
    return rows


@pytest.mark.parametrize("kind", POOLINGS)
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_every_pooling_is_its_definition_over_a_reviews_own_tokens(kind, lengths):
    torch.manual_seed(0)
    pooling = Pooling(kind, 3)
    outputs, last, lengths = torch.randn(len(lengths), 7, 3), torch.randn(len(lengths), 3), torch.tensor(lengths)
    pooled = pooling(outputs, last, lengths)
    assert pooled.shape == (len(lengths), pooling.output_size)
    torch.testing.assert_close(pooled, torch.tensor(by_hand(pooling, outputs, last, lengths)))
    with torch.no_grad():
        torch.testing.assert_close(pooling(outputs, last, lengths), pooled)


@pytest.mark.parametrize("kind", POOLINGS)
def test_padding_gets_no_gradient_and_every_gradient_is_right(kind):
    pooling = Pooling(kind, 3).double()
    outputs = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    last = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([2, 5])
    assert torch.autograd.gradcheck(lambda o, s: pooling(o, s, lengths), (outputs, last))
    if kind != "last":
        (gradient,) = torch.autograd.grad(pooling(outputs, last, lengths).sum(), outputs)
        assert gradient[0, 2:].abs().max() == 0


@pytest.mark.parametrize("kind", POOLINGS)
def test_bfloat16_outputs_are_pooled_close_to_float32(kind):
    pooling, lengths = Pooling(kind, 8), torch.tensor([300, 120])
    outputs, last = torch.randn(2, 300, 8).tanh(), torch.randn(2, 8).tanh()
    near = pooling(outputs.bfloat16(), last.bfloat16(), lengths).float()
    torch.testing.assert_close(near, pooling(outputs, last, lengths), rtol=0, atol=0.01)


def test_a_sum_leaves_the_padding_out():
    assert masked_sum(torch.ones(2, 4, 1), torch.tensor([1, 3])).tolist() == [[1], [3]]


def test_an_unknown_pooling_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"^pooling=maxx: not one of last, .*; did you mean max\?$"):
        Pooling("maxx", 3)
