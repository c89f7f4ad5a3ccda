"""Calibration: whether the model is right as often as its confidence promises."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sentexp.report.style import BLUE, GREY, SKY, count_axis, new_figure, styled
from sentexp.statistics import BINS, bins_of_confidence, expected_calibration_error, wilson

# Shapes: N reviews


@styled
def reliability(confidence: np.ndarray, right: np.ndarray, num_classes: int) -> Figure:
    """Draw accuracy over confidence, from the probability of each answer [N] and whether it was right [N].

    The bins are of equal width, from 1/C, the least that the likeliest class can have, to 1. Intervals are of 95 %.
    """
    lowest = 1 / num_classes
    edges = 100 * np.linspace(lowest, 1, BINS + 1)
    figure, (top, bottom) = new_figure(6.6, 6.4, rows=2, heights=[3, 1], sharex=True)
    bins = bins_of_confidence(confidence, lowest)
    counts = np.bincount(bins, minlength=BINS)
    filled = counts > 0
    hits = np.bincount(bins, right.astype(float), BINS)[filled]
    sureness = np.bincount(bins, confidence, BINS)[filled] / counts[filled]
    accuracy = hits / counts[filled]
    low, high = wilson(hits, counts[filled])
    error = expected_calibration_error(confidence, right, lowest)

    top.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=1.4, label="as sure as right")
    top.errorbar(
        100 * sureness, 100 * accuracy, yerr=100 * np.abs([accuracy - low, high - accuracy]),
        fmt="o", color=BLUE, capsize=3, linewidth=1.6, label="model, 95 % interval",
    )  # fmt: skip
    top.set_ylabel("accuracy in the bin (%)")
    top.set_title(f"Calibration: ECE {100 * error:.1f} points")
    top.set_ylim(min(100 * lowest, 100 * float(low.min(initial=1))) - 3, 103)
    top.legend(loc="lower right")

    bottom.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=SKY, edgecolor="white")
    count_axis(bottom)
    bottom.set_xlabel("confidence: probability of the predicted label (%)")
    bottom.set_xlim(100 * lowest - 1, 101)
    return figure
