from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sentexp.model import adaptive_softmax
from sentexp.model.adaptive_softmax import AdaptiveSoftmax, linear_cross_entropy

CUTOFFS = [[], [20], [5, 20, 60], [99], [5, 100, 2000]]
EVERY_CUTOFF = pytest.mark.parametrize("cutoffs", CUTOFFS, ids=str)


@pytest.fixture(autouse=True)
def few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(adaptive_softmax, "FEWEST_ROWS", 7)
    monkeypatch.setattr(adaptive_softmax, "LOGITS_AT_ONCE", {"cpu": 7})


def made(cutoffs, dtype=torch.float64, seed=0, rows=50):
    torch.manual_seed(seed)
    softmax = AdaptiveSoftmax(64, 100, cutoffs).to(dtype)
    targets = torch.cat([torch.tensor([99, 1, 10, 30]), torch.randint(0, 100, (rows - 4,))])  # one of each cluster
    return softmax, torch.randn(rows, 64, dtype=dtype, requires_grad=True), targets


def log_probabilities(softmax: AdaptiveSoftmax, features):
    """log p of each token, [N, V], cluster by cluster, word by word."""
    head = softmax.head(features).log_softmax(1)
    parts = [head[:, : softmax.bounds[0]]]
    for number, (projection, tail) in enumerate(zip(softmax.projections, softmax.tails, strict=True)):
        parts.append(head[:, [softmax.bounds[0] + number]] + tail(projection(features)).log_softmax(1))
    return torch.cat(parts, 1)


@EVERY_CUTOFF
def test_losses_and_gradients_are_those_of_the_written_out_probabilities_which_sum_to_one(cutoffs):
    softmax, features, targets = made(cutoffs)
    logs = log_probabilities(softmax, features)
    torch.testing.assert_close(logs.exp().sum(1), torch.ones(50, dtype=torch.float64))
    inputs = [features, *softmax.parameters()]
    expected = -logs.gather(1, targets.unsqueeze(1)).sum()
    loss = softmax(features, targets)
    torch.testing.assert_close(loss, expected)
    for mine, reference in zip(
        torch.autograd.grad(3 * loss, inputs), torch.autograd.grad(3 * expected, inputs), strict=True
    ):
        torch.testing.assert_close(mine, reference)


def test_it_is_torchs_adaptive_softmax():
    softmax, features, targets = made([5, 20])
    theirs = nn.AdaptiveLogSoftmaxWithLoss(64, 100, [5, 20], head_bias=True).double()
    theirs.head.load_state_dict(softmax.head.state_dict())
    for (projection, tail), mine, words in zip(theirs.tail, softmax.projections, softmax.tails, strict=True):
        width = projection.out_features  # torch's is narrower where 64 is divided by 4 twice
        with torch.no_grad():
            projection.weight.copy_(mine.weight[:width])
            tail.weight.copy_(words.weight[:, :width])
            words.weight[:, width:] = 0
    torch.testing.assert_close(softmax(features, targets), theirs(features, targets).loss * len(targets))


def test_without_gradients_the_loss_is_the_same():
    softmax, features, targets = made([20])
    with torch.no_grad():
        assert torch.equal(softmax(features, targets), softmax(features, targets))
        assert not softmax(features, targets).requires_grad
    torch.testing.assert_close(softmax(features, targets).detach(), softmax(features.detach(), targets).detach())


def test_clusters_without_a_target_have_gradients_of_zero_as_with_several_processes():
    softmax, features, _ = made([5, 20, 60])
    targets = torch.arange(50) % 5
    softmax(features, targets).backward()
    assert softmax.head.weight.grad.norm() > 0
    for part in (*softmax.tails, *softmax.projections):
        assert torch.equal(part.weight.grad, torch.zeros_like(part.weight))


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(0, 40), classes=st.integers(1, 30), biased=st.booleans(), seed=st.integers(0, 99))
def test_the_fused_loss_is_cross_entropy_over_linear(rows, classes, biased, seed):
    torch.manual_seed(seed)
    inputs, weight = torch.randn(rows, 6, dtype=torch.float64), torch.randn(classes, 6, dtype=torch.float64)
    bias = torch.randn(classes, dtype=torch.float64) if biased else None
    targets = torch.randint(0, classes, (rows,))
    given_ = [value.requires_grad_() for value in (inputs, weight, bias) if value is not None]
    mine = linear_cross_entropy(inputs, weight, bias, targets)
    reference = F.cross_entropy(F.linear(inputs, weight, bias), targets, reduction="sum")
    torch.testing.assert_close(mine, reference)
    for one, other in zip(torch.autograd.grad(mine, given_), torch.autograd.grad(reference, given_), strict=True):
        torch.testing.assert_close(one, other)


@EVERY_CUTOFF
def test_bfloat16_features_give_a_close_float32_loss_and_gradients(cutoffs):
    softmax, features, targets = made(cutoffs, torch.float32)
    expected = softmax(features, targets)
    loss = softmax(features.bfloat16(), targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    weights = list(softmax.parameters())
    for mine, reference in zip(torch.autograd.grad(loss, weights), torch.autograd.grad(expected, weights), strict=True):
        assert mine.dtype == torch.float32
        assert (mine - reference).norm() <= 0.01 * reference.norm()


def test_a_word_that_is_impossible_costs_what_it_must():
    loss = linear_cross_entropy(torch.ones(1, 1), torch.tensor([[200.0], [0.0]]), None, torch.tensor([1]))
    assert loss.item() == 200


@pytest.mark.parametrize("cutoffs", [[0], [5, 5], [9, 3], [-1]])
def test_cutoffs_that_do_not_ascend_are_refused(cutoffs):
    with pytest.raises(ValueError, match="ascending"):
        AdaptiveSoftmax(8, 100, cutoffs)
