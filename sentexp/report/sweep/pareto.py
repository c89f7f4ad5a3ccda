"""The Pareto front of a sweep with several objectives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.figure import Figure

from sentexp.report.style import SKY, VERMILION, new_figure, picture_text, styled, write_instead
from sentexp.report.sweep.points import no_results_text, points_with_results
from sentexp.sweep.results import SweepResults

# Shapes: P points, O objectives

MOST_NUMBERED = 12
"""Points on the front up to which each has its number."""


@styled
def pareto_front(results: SweepResults) -> Figure:
    """Draw one square per pair of metrics, and mark the front: see `on_front`."""
    pairs = list(combinations(range(len(results.metrics)), 2))
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    figure, grid = new_figure(max(6.6, 4.8 * columns), max(5.0, 4.2 * rows), rows=rows, columns=columns)
    points = points_with_results(results)
    for axes in grid[len(pairs) :]:
        axes.set_axis_off()
    if not points:
        for axes in grid:
            axes.set_axis_off()
        grid[0].set_title("Pareto front")
        write_instead(grid[0], no_results_text(results))
        return figure
    values = np.array([point.values for point in points])  # [P, O]
    front = on_front(values, results.directions)
    for axes, (x, y) in zip(grid, pairs, strict=False):
        axes.plot(values[~front, x], values[~front, y], "o", color=SKY, markersize=5, label="beaten", alpha=0.8)
        rim = values[front][np.argsort(values[front, x], kind="stable")]
        line = "-" if len(results.metrics) == 2 else "none"
        axes.plot(rim[:, x], rim[:, y], "o", color=VERMILION, markersize=7, linestyle=line, linewidth=1.2,
                  label="Pareto front")  # fmt: skip
        for row in np.flatnonzero(front) if front.sum() <= MOST_NUMBERED else ():
            number = str(points[row].jobs[0].number)
            axes.annotate(number, (values[row, x], values[row, y]), (5, 5), textcoords="offset points", fontsize=9)
        axes.set_xlabel(f"{picture_text(results.metrics[x], 30)} ({results.directions[x]})")
        axes.set_ylabel(f"{picture_text(results.metrics[y], 30)} ({results.directions[y]})")
    numbered = ", with the number of its first job" if front.sum() <= MOST_NUMBERED else ""
    grid[0].legend(loc="best")
    title = f"Pareto front: {front.sum():,} of {len(points):,} points{numbered}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def on_front(values: np.ndarray, directions: Sequence[str]) -> np.ndarray:
    """Return True for each row of values [P, O] that no other equals in all metrics and beats in one: bool [P]."""
    signs = np.array([1 if direction == "maximize" else -1 for direction in directions])
    gains = values * signs
    as_good = (gains[None] >= gains[:, None]).all(2)  # [P, P]: column is as good as row
    better = (gains[None] > gains[:, None]).any(2)
    return ~(as_good & better).any(1)
