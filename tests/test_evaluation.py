from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sentexp.evaluation import Predictions, metrics, predict
from sentexp.training import choose_machine

MACHINE = choose_machine(device="cpu", precision="fp32", processes=1)


class Corpus:
    def __init__(self, reviews: int, label: int | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.lengths = torch.randint(1, 30, (reviews,), generator=generator)
        self.offsets = torch.cat([torch.zeros(1, dtype=torch.long), self.lengths.cumsum(0)])
        self.ids = torch.randint(2, 50, (int(self.offsets[-1]),), generator=generator, dtype=torch.int32)
        self.labels = torch.arange(reviews) % 2 if label is None else torch.full((reviews,), label)


class FirstWord(nn.Module):
    """Says of a review what its first word and its length say; with dropout, to show that it is off."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.classes = classes
        self.dropout = nn.Dropout(0.5)

    def forward(self, ids, lengths):
        logits = self.dropout((ids[:, 0] - 25 + lengths).float() / 10)
        return logits if self.classes == 2 else torch.stack([logits, -logits, 0 * logits], 1)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("classes", [2, 3])
def test_predictions_are_in_the_order_of_the_corpus(classes, workers):
    corpus = Corpus(500)
    model = FirstWord(classes)
    found = predict(model, corpus, machine=MACHINE, pad_index=1, num_classes=classes, workers=workers)
    logits = (corpus.ids[corpus.offsets[:-1]] - 25 + corpus.lengths).float() / 10
    if classes == 2:
        expected = torch.stack([1 - logits.sigmoid(), logits.sigmoid()], 1)
    else:
        expected = torch.stack([logits, -logits, 0 * logits], 1).softmax(1)
    assert torch.allclose(found.probabilities, expected, atol=1e-6)
    assert torch.equal(found.labels, corpus.labels)
    of_label = expected[torch.arange(500), corpus.labels]
    assert found.loss == pytest.approx(float(-of_label.log().mean()), rel=1e-4)
    assert model.training


def test_unknown_labels_have_no_loss():
    found = predict(FirstWord(), Corpus(5, label=-1), machine=MACHINE, pad_index=1)
    assert found.loss is None
    assert metrics(found) == ({}, ["no metrics: there is no labelled review"])


def test_no_reviews():
    found = predict(FirstWord(), Corpus(0), machine=MACHINE, pad_index=1)
    assert found.probabilities.shape == (0, 2)
    assert metrics(found)[0] == {}


def test_each_batch_is_told():
    seen: list[int] = []
    predict(FirstWord(), Corpus(150), machine=MACHINE, pad_index=1, progress=seen.append)
    assert sum(seen) == 150


def predictions(rows: list[list[float]], labels: list[int]) -> Predictions:
    return Predictions(torch.tensor(rows), torch.tensor(labels), 0.5)


def test_two_classes_by_hand():
    """Of class 1: one right, one missed, one wrongly said; of the four pairs to rank, three are in order."""
    found, notes = metrics(predictions([[0.1, 0.9], [0.7, 0.3], [0.4, 0.6], [0.8, 0.2]], [1, 1, 0, 0]))
    assert found == pytest.approx({"loss": 0.5, "accuracy": 0.5, "f1": 0.5, "roc_auc": 0.75})
    assert notes == []


def test_more_classes_by_hand():
    rows = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.7, 0.2], [0.1, 0.1, 0.8]]
    found, _ = metrics(predictions(rows, [0, 1, 2, 2]))
    assert found["accuracy"] == 0.75
    assert found["f1"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert found["roc_auc"] == pytest.approx(1.0)


@pytest.mark.parametrize(("classes", "labels", "absent"), [(2, [1, 1], "0"), (3, [0, 1], "2")])
def test_a_missing_class_is_noted(classes, labels, absent):
    rows = [[0.9] + [0.1 / (classes - 1)] * (classes - 1)] * 2
    found, notes = metrics(predictions(rows, labels))
    assert set(found) == {"loss", "accuracy", "f1"}
    assert all(math.isfinite(value) for value in found.values())
    assert notes == [f"no roc_auc: no review has label {absent}"]


def test_a_model_that_says_one_class_only_has_f1_zero():
    assert metrics(predictions([[0.9, 0.1]] * 4, [0, 1, 0, 1]))[0]["f1"] == 0
