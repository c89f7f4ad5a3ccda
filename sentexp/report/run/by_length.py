"""The accuracy for reviews of each length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from sentexp.report.style import BLUE, GREY, SKY, count_axis, new_figure, styled, write_instead
from sentexp.statistics import wilson

# Shapes: N reviews, L bins

SHARES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
"""Edges of the bins as shares of the reviews: smaller bins for the longest ones, where the model may well differ."""


@styled
def accuracy_by_length(lengths: np.ndarray, right: np.ndarray) -> Figure:
    """Draw the accuracy per bin of lengths, and the counts, from lengths in tokens [N] and correctness, bool [N]."""
    figure, (top, bottom) = new_figure(8.4, 6, rows=2, heights=[3, 1], sharex=True)
    if not len(lengths):
        write_instead(top, "no review")
        bottom.set_axis_off()
        return figure
    edges = bin_edges(lengths)  # [L + 1]
    bins = np.searchsorted(edges, lengths, side="right") - 1
    counts = np.bincount(bins, minlength=len(edges) - 1)
    hits = np.bincount(bins, right.astype(float), len(edges) - 1)
    accuracy = hits / counts
    low, high = wilson(hits, counts)
    places = np.arange(len(counts))

    overall = float(right.mean())
    top.axhline(100 * overall, color=GREY, linestyle=":", linewidth=1.4, label=f"all reviews, {100 * overall:.1f} %")
    top.errorbar(
        places, 100 * accuracy, yerr=100 * np.abs([accuracy - low, high - accuracy]),
        fmt="o-", color=BLUE, capsize=4, linewidth=1.4, label="accuracy, 95 % interval",
    )  # fmt: skip
    top.set_ylabel("accuracy (%)")
    top.set_title("Accuracy by length of review")
    top.legend(loc="best")

    bottom.bar(places, counts, width=0.8, color=SKY)
    bottom.bar_label(bottom.containers[0], labels=[f"{count:,}" for count in counts], fontsize=9, padding=1)  # type: ignore[arg-type]
    bottom.margins(y=0.25)
    count_axis(bottom)
    bottom.set_xlabel("length (words the model read)")
    names = bin_names(edges)
    bottom.set_xticks(places, names, rotation=30 if len(names) > 8 else 0)
    return figure


def bin_edges(lengths: np.ndarray, shares: Sequence[float] = SHARES) -> np.ndarray:
    """Return the first length of each bin, ascending, then the longest length plus one: [L + 1]. No bin is empty.

    `shares` are the edges as shares of the reviews, from 0 to 1.
    """
    # why "higher": each edge is then a length that occurs, so every bin has a review
    edges = np.unique(np.quantile(lengths, shares[:-1], method="higher").astype(int))
    return np.append(edges, int(lengths.max()) + 1)


def bin_names(edges: np.ndarray) -> list[str]:
    """Return the lengths that each bin of `bin_edges` holds, such as 5-9."""
    return [f"{first}" if after - first == 1 else f"{first}-{after - 1}" for first, after in pairwise(edges)]
