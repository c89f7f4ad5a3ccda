from __future__ import annotations

import math

import pytest
import torch

from sentexp.training.losses import class_weights, correct, loss_sum, probabilities


def test_two_classes_by_hand():
    logits, labels = torch.tensor([2.0, -1.0]), torch.tensor([1, 1])
    expected = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))
    assert float(loss_sum(logits, labels)) == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_one_logit_and_two_logits_agree(smoothing):
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 2
    two = torch.stack([torch.zeros(50), logits], 1)
    assert torch.allclose(loss_sum(logits, labels, smoothing), loss_sum(two, labels, smoothing))
    assert correct(logits, labels) == correct(two, labels)
    assert torch.allclose(probabilities(logits), probabilities(two))


def test_smoothing_keeps_certainty_from_paying():
    sure, unsure, label = torch.tensor([50.0]), torch.tensor([3.0]), torch.tensor([1])
    assert loss_sum(sure, label) < loss_sum(unsure, label)
    assert loss_sum(sure, label, 0.1) > loss_sum(unsure, label, 0.1)


def test_more_classes():
    logits = torch.tensor([[0.0, 5.0, 1.0], [4.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert int(correct(logits, torch.tensor([1, 2, 2]))) == 2
    assert probabilities(logits).sum(1).tolist() == pytest.approx([1, 1, 1])


def test_low_precision_logits_are_summed_in_float32():
    assert loss_sum(torch.ones(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.long)).dtype == torch.float32
    assert probabilities(torch.ones(3, dtype=torch.bfloat16)).dtype == torch.float32


def test_with_balanced_weights_all_classes_weigh_the_same():
    labels = torch.tensor([0] * 90 + [1] * 9 + [2])
    weights = class_weights("balanced", labels)
    totals = torch.zeros(3).index_add(0, labels, weights[labels])
    assert torch.allclose(totals, torch.full((3,), 100 / 3))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("classes", [2, 3])
def test_class_weights_multiply_each_loss(classes, smoothing):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, *([classes] if classes > 2 else []), generator=generator)
    labels, weights = torch.arange(20) % classes, torch.tensor([0.5, 2.0, 4.0])[:classes]
    one_by_one = sum(weights[label] * loss_sum(logits[i : i + 1], labels[i : i + 1], smoothing)
                     for i, label in enumerate(labels))  # fmt: skip
    assert torch.allclose(loss_sum(logits, labels, smoothing, weights), one_by_one)
