"""The confusion matrix: which labels the model predicts for the reviews of each true label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sentexp.report.style import BLACK, new_figure, picture_text, styled

# Shapes: N reviews, C classes

MOST_WITH_NUMBERS = 20
"""Classes up to which the cells hold their numbers."""
MOST_TICKS = 40
"""Labels that are written on each axis."""


@styled
def confusion_matrix(answers: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw counts and shares from predicted and true classes [N]; the colour is the share of the true class."""
    classes = len(names)
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (labels, answers), 1)
    totals = counts.sum(1, keepdims=True)
    shares = 100 * counts / np.maximum(totals, 1)  # [C, C]

    side = float(np.clip(2.6 + 0.95 * classes, 5, 14))
    figure, (axes,) = new_figure(side + 1, side)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="share of the true label (%)", shrink=0.8)
    step = -(-classes // MOST_TICKS)
    ticks = range(0, classes, step)
    short = [picture_text(names[index], 16) for index in ticks]
    turned = max(map(len, short)) * classes > 48
    axes.set_xticks(ticks, short, rotation=45 if turned else 0, ha="right" if turned else "center")
    axes.set_yticks(ticks, short)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    right = int(np.trace(counts))
    total = max(1, int(counts.sum()))
    title = f"Confusion matrix: {right:,} of {counts.sum():,} right ({100 * right / total:.1f} %)"
    axes.set_title(title, fontsize=12 if classes > 3 else 11)
    if classes <= MOST_WITH_NUMBERS:
        size = 13 if classes <= 3 else 10 if classes <= 8 else 7
        for row, column in np.ndindex(counts.shape):
            colour = "white" if shares[row, column] > 70 else BLACK
            share = f"{shares[row, column]:.1f} %" if totals[row, 0] else "none"
            cell = f"{counts[row, column]:,}\n{share}"
            axes.text(column, row, cell, ha="center", va="center", color=colour, fontsize=size)
    return figure
