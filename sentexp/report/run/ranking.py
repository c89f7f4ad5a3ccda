"""How well the probabilities separate the classes, whatever the threshold: ROC and precision-recall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentexp.report.style import BLUE, COLOURS, GREY, new_figure, plain, say, styled

# Shapes: N reviews, C classes

MOST_NAMED = len(COLOURS)
"""With more classes than this, their curves are grey and only the mean is named."""


@styled
def roc(probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Figure:
    """The ROC curve from probabilities [N, C] and labels [N]: of class 1 for two classes, else one for each against the
    rest. A class that all or no reviews belong to has none."""
    from sklearn.metrics import auc, roc_curve

    def curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        false_rate, true_rate, _ = roc_curve(truth, scores)
        return false_rate, true_rate, auc(false_rate, true_rate)

    figure, (axes,) = new_figure(6.2, 5.6)
    if _curves(axes, probabilities, labels, names, curve, "AUC", "ROC curve"):
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.4, label="chance (AUC 0.500)")
        axes.set_xlabel("false positive rate (share of the others called it)")
        axes.set_ylabel("true positive rate (share of its own found)")
        axes.legend(loc="lower right")
    return figure


@styled
def precision_recall(probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Figure:
    """The precision-recall curve, for the classes that `roc` draws."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
        return recall, precision, average_precision_score(truth, scores)

    figure, (axes,) = new_figure(6.2, 5.6)
    if _curves(axes, probabilities, labels, names, curve, "AP", "Precision-recall curve"):
        if probabilities.shape[1] == 2:
            share = float((labels == 1).mean())
            axes.axhline(share, color=GREY, linestyle=":", linewidth=1.4, label=f"chance (AP {share:.3f})")
        axes.set_xlabel("recall (share of its own found)")
        axes.set_ylabel("precision (share of those called it)")
        axes.legend(loc="lower left")
    return figure


Curve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, float]]


def _curves(
    axes: Axes, probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str], curve: Curve, area: str, title: str
) -> bool:
    """Draws the curve of each class that has one; says why if there is none, and returns False."""
    classes = probabilities.shape[1]
    drawn = [(index, curve(truth, probabilities[:, index])) for index, truth in _separable(labels, classes)]
    axes.set_title(f"{title}: {plain(names[1])}" if classes == 2 else f"{title}s, each class against the rest")
    if not drawn:
        say(axes, "needs reviews of two classes or more")
        return False
    many = len(drawn) > MOST_NAMED
    for position, (index, (x, y, size)) in enumerate(drawn):
        name = plain(names[index])
        if many:
            axes.plot(x, y, color=GREY, linewidth=0.9, alpha=0.6)
        else:
            axes.plot(x, y, color=COLOURS[position], label=f"{name} ({area} {size:.3f})")
    if many:
        sizes = [size for _, (_, _, size) in drawn]
        best, worst = drawn[int(np.argmax(sizes))], drawn[int(np.argmin(sizes))]
        for (index, (x, y, size)), colour in ((best, BLUE), (worst, COLOURS[1])):
            axes.plot(x, y, color=colour, label=f"{plain(names[index])} ({area} {size:.3f})")
        axes.plot([], [], color=GREY, label=f"{len(drawn)} classes, mean {area} {np.mean(sizes):.3f}")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    return True


def _separable(labels: np.ndarray, classes: int) -> Iterator[tuple[int, np.ndarray]]:
    for index in [1] if classes == 2 else range(classes):
        truth = labels == index
        if truth.any() and not truth.all():
            yield index, truth
