"""The metrics of a sweep by each swept key."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sentexp.report.style import BLACK, BLUE, VERMILION, new_figure, plain, say, styled
from sentexp.report.sweep.points import Parameter, measured, parameters, why_nothing
from sentexp.sweep.results import Point, SweepResults

# Shapes: P points

MOST_COLUMNS = 3


@styled
def metric_by_parameter(record: SweepResults) -> Figure:
    """A square for each metric and key: a mark a point, with its deviation over seeds; the mean of each step."""
    points = measured(record)
    keys = [key for key in parameters(record.swept, points) if key.varies] if points else []
    if not keys:
        figure, (axes,) = new_figure(7, 4)
        axes.set_title("Metric by parameter")
        say(axes, "needs points that differ in a value" if points else why_nothing(record))
        return figure
    columns = min(MOST_COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    figure, grid = new_figure(
        max(7, 4.6 * columns), 3.7 * rows * len(record.metrics) + 0.4, rows=rows * len(record.metrics), columns=columns
    )
    best = record.best()
    squares = iter(grid)
    for index, metric in enumerate(record.metrics):
        for place in range(rows * columns):
            axes = next(squares)
            if place >= len(keys):
                axes.set_axis_off()
                continue
            _by(axes, keys[place], points, index, best)
            if place % columns == 0:
                axes.set_ylabel(plain(metric, 30))
    seeds = " ± standard deviation over seeds" if any(point.n > 1 for point in points) else ""
    figure.suptitle(
        f"A mark is a point{seeds}, a bar the mean of a value; the red mark is the best", x=0.01, ha="left", fontsize=12
    )
    return figure


def _by(axes: Axes, key: Parameter, points: list[Point], index: int, best: Point | None) -> None:
    means = np.array([point.values[index] for point in points if point.values is not None])  # [P]
    deviations = np.array([point.deviations[index] if point.deviations else np.nan for point in points])  # [P]
    places = key.places.astype(float)
    if key.scale == "steps":
        for step in np.unique(key.places):
            rows = np.flatnonzero(key.places == step)
            axes.hlines(means[rows].mean(), step - 0.32, step + 0.32, color=BLACK, linewidth=2, zorder=3)
            places[rows] += np.linspace(-0.25, 0.25, len(rows)) if len(rows) > 1 else 0
    many = len(points) > 60
    size = 4 if many else 6
    marked = np.array([best is not None and point.overrides == best.overrides for point in points])
    for rows, colour, alpha, bigger in ((~marked, BLUE, 0.5 if many else 0.8, 0), (marked, VERMILION, 1.0, 2)):
        if rows.any():
            yerr = deviations[rows] if np.isfinite(deviations[rows]).any() else None
            axes.errorbar(
                places[rows], means[rows], yerr=yerr, fmt="o", color=colour, markersize=size + bigger, alpha=alpha,
                linewidth=1.1, capsize=2, zorder=2 + bigger,
            )  # fmt: skip
    key.show_on_x(axes)
