"""ROC and precision-recall: how well the probabilities separate the classes, at every threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentexp.report.style import BLUE, COLOURS, GREY, new_figure, picture_text, styled, write_instead

# Shapes: N reviews, C classes

MOST_NAMED = len(COLOURS)
"""With more classes than this, the curves are grey, and only the best and the worst have a name."""


@styled
def roc(probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str], positive: int = 1) -> Figure:
    """Draw ROC curves from probabilities [N, C] and labels [N].

    Two classes have one curve, that of the class `positive`; more have one per class, against the rest. A class of all
    reviews or of none has no curve.
    """
    from sklearn.metrics import auc, roc_curve

    def curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        false_rate, true_rate, _ = roc_curve(truth, scores)
        return false_rate, true_rate, auc(false_rate, true_rate)

    figure, (axes,) = new_figure(6.2, 5.6)
    if _curves(axes, probabilities, labels, names, positive, curve, "AUC", "ROC curve"):
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.4, label="chance (AUC 0.500)")
        axes.set_xlabel("false positive rate (share of the others called it)")
        axes.set_ylabel("true positive rate (share of its own found)")
        axes.legend(loc="lower right")
    return figure


@styled
def precision_recall(probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str], positive: int = 1) -> Figure:
    """Draw precision-recall curves of the same classes as `roc`, from probabilities [N, C] and labels [N]."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
        return recall, precision, average_precision_score(truth, scores)

    figure, (axes,) = new_figure(6.2, 5.6)
    if _curves(axes, probabilities, labels, names, positive, curve, "AP", "Precision-recall curve"):
        if probabilities.shape[1] == 2:
            share = float((labels == positive).mean())
            axes.axhline(share, color=GREY, linestyle=":", linewidth=1.4, label=f"chance (AP {share:.3f})")
        axes.set_xlabel("recall (share of its own found)")
        axes.set_ylabel("precision (share of those called it)")
        axes.legend(loc="lower left")
    return figure


Curve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, float]]
"""A function from truth, bool [N], and scores [N] to the x and y of a curve and the area under it."""


def _curves(
    axes: Axes,
    probabilities: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    positive: int,
    curve: Curve,
    area: str,
    title: str,
) -> bool:
    """Draw the curve of each class that has one. Without any, write why and return False."""
    classes = probabilities.shape[1]
    drawn = [(index, curve(truth, probabilities[:, index])) for index, truth in _separable(labels, classes, positive)]
    axes.set_title(
        f"{title}: {picture_text(names[positive])}" if classes == 2 else f"{title}s, each class against the rest"
    )
    if not drawn:
        write_instead(axes, "needs reviews of two classes or more")
        return False
    many = len(drawn) > MOST_NAMED
    for position, (index, (x, y, size)) in enumerate(drawn):
        name = picture_text(names[index])
        if many:
            axes.plot(x, y, color=GREY, linewidth=0.9, alpha=0.6)
        else:
            axes.plot(x, y, color=COLOURS[position], label=f"{name} ({area} {size:.3f})")
    if many:
        sizes = [size for _, (_, _, size) in drawn]
        best, worst = drawn[int(np.argmax(sizes))], drawn[int(np.argmin(sizes))]
        for (index, (x, y, size)), colour in ((best, BLUE), (worst, COLOURS[1])):
            axes.plot(x, y, color=colour, label=f"{picture_text(names[index])} ({area} {size:.3f})")
        axes.plot([], [], color=GREY, label=f"{len(drawn)} classes, mean {area} {np.mean(sizes):.3f}")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    return True


def _separable(labels: np.ndarray, classes: int, positive: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each class that has a curve, with the reviews that belong to it, bool [N]."""
    for index in [positive] if classes == 2 else range(classes):
        truth = labels == index
        if truth.any() and not truth.all():
            yield index, truth
