from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from sentexp.report.run.by_length import accuracy_by_length, bin_edges
from sentexp.report.run.calibration import reliability
from sentexp.report.run.confusion import confusion_matrix
from sentexp.report.run.learning import learning_curves
from sentexp.report.run.ranking import precision_recall, roc


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def test_learning_curves_show_both_splits_and_mark_the_best_epoch() -> None:
    history = [
        {
            "epoch": e,
            "train/loss": 1 / e,
            "train/accuracy": 0.5,
            "valid/loss": 2 / e,
            "valid/accuracy": 0.6 + 0.1 * (e == 2),
        }
        for e in (1, 2, 3)
    ]
    figure = learning_curves(history, best_epoch=2)
    loss, accuracy = figure.axes
    assert list(loss.lines[0].get_ydata()) == pytest.approx([1, 1 / 2, 1 / 3])
    assert list(accuracy.lines[1].get_ydata()) == pytest.approx([60, 70, 60])
    assert "best epoch, 2: 70.0 %" in words(figure)
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "loss (nats per review)")


def test_the_confusion_matrix_counts_true_by_predicted() -> None:
    figure = confusion_matrix(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]), ["neg", "pos"])
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == ["1\n33.3 %", "2\n66.7 %", "0\n0.0 %", "1\n100.0 %"]
    assert (figure.axes[0].get_ylabel(), figure.axes[0].get_xlabel()) == ("true label", "predicted label")
    assert "2 of 4 right (50.0 %)" in figure.axes[0].get_title("left")


def test_two_classes_have_the_curve_of_the_second() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    probabilities = np.stack([1 - scores, scores], axis=1)
    labels = np.array([0, 0, 1, 1])
    assert "pos (AUC 0.750)" in words(roc(probabilities, labels, ["neg", "pos"]))
    assert "pos (AP 0.833)" in words(precision_recall(probabilities, labels, ["neg", "pos"]))


def test_more_classes_have_a_curve_each_where_there_is_something_to_tell_apart() -> None:
    probabilities = np.eye(3)[[0, 1, 1, 0]]
    shown = words(roc(probabilities, np.array([0, 1, 1, 0]), ["a", "b", "c"]))
    assert "a (AUC 1.000)" in shown
    assert "b (AUC 1.000)" in shown
    assert not [word for word in shown if word.startswith("c (")]  # no review of it


def test_a_split_of_one_class_says_why_there_is_no_curve() -> None:
    for picture in (roc, precision_recall):
        assert "needs reviews of two classes or more" in words(picture(np.eye(2)[[0, 1]], np.array([0, 0]), ["a", "b"]))


def test_calibration_counts_every_review_once() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 1000)
    figure = reliability(confidence, generator.random(1000) < confidence, num_classes=2)
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 1000


@pytest.mark.parametrize("lengths", [[5], [3, 3, 3], [1, 2], list(range(1, 3000)), [10] * 99 + [2762]])
def test_length_bins_cover_every_review_and_none_is_empty(lengths: list[int]) -> None:
    edges = bin_edges(np.array(lengths))
    counts, _ = np.histogram(lengths, bins=np.append(edges[:-1], edges[-1] - 0.5))
    assert counts.sum() == len(lengths)
    assert (counts > 0).all()


def test_accuracy_by_length_shows_accuracy_and_counts() -> None:
    lengths, right = np.array([5] * 10 + [50] * 10), np.array([True] * 10 + [True, False] * 5)
    figure = accuracy_by_length(lengths, right)
    top, bottom = figure.axes
    points = next(line for line in top.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-")
    assert list(points.get_ydata()) == [100, 50]
    assert [bar.get_height() for bar in bottom.patches] == [10, 10]
    assert "all reviews, 75.0 %" in words(figure)
