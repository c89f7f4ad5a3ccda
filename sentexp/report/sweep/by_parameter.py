"""The metrics of a sweep over the values of each swept key."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentexp.report.style import BLACK, BLUE, VERMILION, new_figure, picture_text, styled, write_instead
from sentexp.report.sweep.parameters import Parameter, parameters
from sentexp.report.sweep.points import no_results_text, points_with_results
from sentexp.sweep.results import PointResult, SweepResults

# Shapes: P points

MOST_COLUMNS = 3
"""Squares beside each other."""


@styled
def metric_by_parameter(results: SweepResults) -> Figure:
    """Draw one square per metric and key.

    Each point is a mark, with its standard deviation over seeds; each category has a bar at its mean.
    """
    points = points_with_results(results)
    keys = [key for key in parameters(results.swept, points) if key.varies] if points else []
    if not keys:
        figure, (axes,) = new_figure(7, 4)
        axes.set_title("Metric by parameter")
        write_instead(axes, "needs points that differ in a value" if points else no_results_text(results))
        return figure
    columns = min(MOST_COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    all_rows = rows * len(results.metrics)
    figure, grid = new_figure(max(7, 4.6 * columns), 3.7 * all_rows + 0.4, rows=all_rows, columns=columns)
    best = results.best()
    squares = iter(grid)
    for index, metric in enumerate(results.metrics):
        for place in range(rows * columns):
            axes = next(squares)
            if place >= len(keys):
                axes.set_axis_off()
                continue
            _draw_square(axes, keys[place], points, index, best)
            if place % columns == 0:
                axes.set_ylabel(picture_text(metric, 30))
    seeds = " ± standard deviation over seeds" if any(point.n > 1 for point in points) else ""
    figure.suptitle(
        f"A mark is a point{seeds}, a bar the mean of a value; the red mark is the best", x=0.01, ha="left", fontsize=12
    )
    return figure


def _draw_square(axes: Axes, key: Parameter, points: list[PointResult], index: int, best: PointResult | None) -> None:
    means = np.array([point.values[index] for point in points if point.values is not None])  # [P]
    deviations = np.array([point.deviations[index] if point.deviations else np.nan for point in points])  # [P]
    positions = key.positions.astype(float)
    if key.scale == "categorical":
        for category in np.unique(key.positions):
            rows = np.flatnonzero(key.positions == category)
            axes.hlines(means[rows].mean(), category - 0.32, category + 0.32, color=BLACK, linewidth=2, zorder=3)
            positions[rows] += np.linspace(-0.25, 0.25, len(rows)) if len(rows) > 1 else 0
    many = len(points) > 60
    size = 4 if many else 6
    marked = np.array([best is not None and point.overrides == best.overrides for point in points])
    for rows, colour, alpha, bigger in ((~marked, BLUE, 0.5 if many else 0.8, 0), (marked, VERMILION, 1.0, 2)):
        if rows.any():
            yerr = deviations[rows] if np.isfinite(deviations[rows]).any() else None
            axes.errorbar(
                positions[rows], means[rows], yerr=yerr, fmt="o", color=colour, markersize=size + bigger, alpha=alpha,
                linewidth=1.1, capsize=2, zorder=2 + bigger,
            )  # fmt: skip
    key.show_on_x(axes)
