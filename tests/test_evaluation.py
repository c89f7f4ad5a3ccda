from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from sentexp.evaluation import (
    Predictions,
    by_class,
    evaluate,
    metrics,
    of_each_label,
    predict,
)
from sentexp.text.corpus import Corpus
from sentexp.training import choose_machine

MACHINE = choose_machine(device="cpu", precision="fp32", processes=1)


def corpus_of(reviews: int, label: int | None = None, width: int | None = None) -> Corpus:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 30, (reviews,), generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    ids = torch.randint(2, 50, (int(offsets[-1]),), generator=generator, dtype=torch.int32)
    labels = torch.arange(reviews) % 2 if label is None else torch.full((reviews,), label)
    return Corpus(ids, offsets, labels, 1, width)


class FirstToken(nn.Module):
    """Logits from the first token and the length of a review; with dropout, to show that it is off."""

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
    corpus = corpus_of(500)
    model = FirstToken(classes)
    found = predict(model, corpus, machine=MACHINE, workers=workers)
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
    found = predict(FirstToken(), corpus_of(5, label=-1), machine=MACHINE)
    assert found.loss is None
    assert metrics(found) == ({}, ["no metrics: there is no labelled review"])


@pytest.mark.parametrize("width", [None, 7])
@pytest.mark.parametrize("classes", [2, 3])
def test_no_reviews(classes, width):
    found = predict(FirstToken(classes), corpus_of(0, width=width), machine=MACHINE)
    assert found.probabilities.shape == (0, classes)
    assert found.answers.tolist() == []
    assert metrics(found)[0] == {}


def test_progress_is_called_after_each_batch():
    seen: list[tuple[int, int | None, str]] = []
    predict(FirstToken(), corpus_of(150), machine=MACHINE, progress=lambda *call: seen.append(call))
    assert len(seen) == 3
    assert [call[1:] for call in seen] == [(150, "predicting")] * 3
    done = [call[0] for call in seen]
    assert done == sorted(set(done))
    assert done[-1] == 150


def predictions(rows: list[list[float]], labels: list[int]) -> Predictions:
    return Predictions(torch.tensor(rows), torch.tensor(labels), 0.5)


WITHOUT_AUC = {"loss", "accuracy", *(f"{name}{kind}" for name in ("f1", "precision", "recall")
                                   for kind in ("", "_macro", "_weighted"))}  # fmt: skip


def test_two_classes_by_hand():
    """For class 1: one right, one missed, one wrongly said; of the four pairs to rank, three are in order."""
    found, notes = metrics(predictions([[0.1, 0.9], [0.7, 0.3], [0.4, 0.6], [0.8, 0.2]], [1, 1, 0, 0]))
    main = {name: found[name] for name in ("loss", "accuracy", "f1", "roc_auc")}
    assert main == pytest.approx({"loss": 0.5, "accuracy": 0.5, "f1": 0.5, "roc_auc": 0.75})
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
    assert set(found) == WITHOUT_AUC
    assert all(math.isfinite(value) for value in found.values())
    assert notes == [f"no roc_auc: no review has label {absent}"]


def test_the_positive_class_is_the_one_that_is_named():
    """Class 0: three of its four are found, among four that are called it; class 1: one of two, among two."""
    rows = [[0.9, 0.1]] * 3 + [[0.1, 0.9]] + [[0.9, 0.1], [0.1, 0.9]]
    of = [metrics(predictions(rows, [0, 0, 0, 0, 1, 1]), positive=positive)[0] for positive in (0, 1)]
    assert (of[0]["precision"], of[0]["recall"], of[0]["f1"]) == pytest.approx((0.75, 0.75, 0.75))
    assert (of[1]["precision"], of[1]["recall"], of[1]["f1"]) == pytest.approx((0.5, 0.5, 0.5))
    for found in of:
        assert found["f1_macro"] == pytest.approx((0.75 + 0.5) / 2)
        assert found["f1_weighted"] == pytest.approx((4 * 0.75 + 2 * 0.5) / 6)


def test_each_class_by_hand_and_one_that_does_not_occur():
    table = by_class(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), classes=3)
    assert table[:, :3] == pytest.approx(np.array([[2 / 3, 1 / 2, 1], [4 / 5, 1, 2 / 3], [0, 0, 0]]))
    assert table[:, 3].tolist() == [1, 3, 0]


def test_notes_call_a_class_by_its_name():
    _, notes = metrics(predictions([[0.9, 0.1]] * 2, [0, 0]), names=["neg", "pos"])
    assert notes == ["no roc_auc: no review has label pos"]


def test_a_model_that_says_one_class_only_has_f1_zero():
    assert metrics(predictions([[0.9, 0.1]] * 4, [0, 1, 0, 1]))[0]["f1"] == 0


def test_further_metrics_are_called_with_labels_and_probabilities():
    """As scikit-learn's are, whatever float32 rounds: two rights at 0.9 and two wrongs at 0.9."""
    found, notes = metrics(
        predictions([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]], [1, 0, 1, 0]),
        {"log_loss": log_loss, "share_of_1": lambda labels, probabilities: probabilities[:, 1].mean()},
    )
    assert found["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.1)) / 2)
    assert found["share_of_1"] == pytest.approx(0.5)
    assert type(found["share_of_1"]) is float
    assert found["accuracy"] == 0.5
    assert notes == []


def _raises(labels, probabilities):
    raise KeyError("mine")


@pytest.mark.parametrize(
    ("metric", "note"),
    [
        (_raises, "no mine: KeyError: 'mine'"),
        (lambda labels, probabilities: float("nan"), "no mine: it is nan"),
        (lambda labels, probabilities: float("inf"), "no mine: it is inf"),
        (lambda labels, probabilities: None, "no mine: TypeError: "),
        (lambda labels, probabilities: probabilities, "no mine: TypeError: "),
    ],
)
def test_a_further_metric_that_fails_is_noted_by_its_name(metric, note):
    found, (noted,) = metrics(predictions([[0.1, 0.9], [0.9, 0.1]], [1, 0]), {"mine": metric, "one": lambda *_: 1})
    assert noted.startswith(note)
    assert set(found) == {*WITHOUT_AUC, "roc_auc", "one"}


def test_evaluate_predicts_and_scores():
    model, corpus = FirstToken(), corpus_of(60)
    assert evaluate(model, corpus, MACHINE) == metrics(predict(model, corpus, machine=MACHINE))[0]
    assert set(evaluate(model, corpus)) == {*WITHOUT_AUC, "roc_auc"}


def test_evaluate_logs_what_cannot_be_computed(caplog):
    assert evaluate(FirstToken(), corpus_of(5, label=-1)) == {}
    assert caplog.messages == ["no metrics: there is no labelled review"]


def test_a_part_that_is_kept_in_evaluation_mode_stays_so():
    model = FirstToken().train()
    model.dropout.eval()
    predict(model, corpus_of(30), machine=MACHINE)
    assert model.training
    assert not model.dropout.training


def test_each_label_keeps_its_own_figures_whatever_signs_it_has() -> None:
    predictions = Predictions(torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), torch.tensor([0, 0, 1]), 0.5)
    found = of_each_label(predictions, ["👍", "👎"])
    assert len(found) == 6
    assert found["recall/_ 0"] == 1.0
    assert found["recall/_ 1"] == 0.0
    assert set(of_each_label(predictions, ["a/b", "c"])) >= {"f1/a_b", "f1/c"}
