"""Parallel coordinates: each point of a sweep is a line through its values and metrics."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from sentexp.report.style import BLACK, BLUE, VERMILION, new_figure, picture_text, shorten_middle, styled, write_instead
from sentexp.report.sweep.parameters import Parameter, parameters
from sentexp.report.sweep.points import describe_point, no_results_text, points_with_results
from sentexp.sweep.results import SweepResults

# Shapes: P points, A axes

WORSE_TO_BETTER = LinearSegmentedColormap.from_list("worse to better", ["#E3D9C3", "#8FC1E3", BLUE, "#00304D"])
SPREAD = 0.7
"""Share of a category's space over which its points are spread, so that the eye can follow a line."""


@styled
def parallel_coordinates(results: SweepResults) -> Figure:
    """Draw one axis per key that varies, then one per metric, and one line per point with a result."""
    points = points_with_results(results)
    keys = parameters(results.swept, points) if points else []
    keys = [key for key in keys if key.varies]
    width = float(np.clip(1.9 * (len(keys) + len(results.metrics)) + 1, 7, 26))
    figure, (axes,) = new_figure(width, 5.6)
    if not points or not keys:
        axes.set_title("Parallel coordinates")
        write_instead(axes, "needs points that differ in a value" if points else no_results_text(results))
        return figure
    values = np.array([point.values for point in points])  # [P, metrics]
    metrics = [Parameter(name, [], values[:, index], "linear", []) for index, name in enumerate(results.metrics)]
    rank = np.argsort(np.argsort(values[:, 0], kind="stable"), kind="stable")
    goodness = metrics[0].fractions()
    if results.directions[0] == "minimize":
        rank, goodness = len(points) - 1 - rank, 1 - goodness
    heights = np.stack([*(_spread(key, rank) for key in keys), *(metric.fractions() for metric in metrics)], axis=1)

    order = np.argsort(rank)  # the best are drawn last, on top
    across = np.arange(heights.shape[1])
    lines = [np.column_stack([across, heights[row]]) for row in order]
    many = len(points) > 60
    axes.add_collection(
        LineCollection(
            lines, colors=WORSE_TO_BETTER(goodness[order]), linewidths=0.9 if many else 1.6, alpha=0.6 if many else 0.9
        )
    )
    best = results.best()
    if best is not None:
        row = next(index for index, point in enumerate(points) if point.overrides == best.overrides)
        axes.plot(across, heights[row], color=VERMILION, linewidth=2.6)
        name = f"best: {picture_text(describe_point(best, results.swept), int(11 * width) - 6)}"
        axes.annotate(
            name, (0, 0), (0, -18), xycoords="axes fraction", textcoords="offset points", color=VERMILION, va="top"
        )
    for place, key in enumerate([*keys, *metrics]):
        _axis(axes, place, key, result=place >= len(keys))
    axes.set_xlim(-0.3, across[-1] + 0.45)
    axes.set_ylim(-0.06, 1.06)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    left_out = len(results.points()) - len(points)
    note = f" ({left_out:,} without a result left out)" if left_out else ""
    axes.set_title(f"{len(points):,} points{note}; darker is better by {picture_text(results.metrics[0], 40)}", pad=46)
    return figure


def _spread(key: Parameter, rank: np.ndarray) -> np.ndarray:
    """Return the position of each point on the axis, from 0 to 1; in a category the better points stand higher."""
    fractions = key.fractions()
    if key.scale != "categorical":
        return fractions
    room = SPREAD / len(key.categories)
    for category in np.unique(key.positions):
        rows = np.flatnonzero(key.positions == category)
        rows = rows[np.argsort(rank[rows])]
        reach = room * min(1.0, len(rows) / 12)
        fractions[rows] += np.linspace(-reach / 2, reach / 2, len(rows)) if len(rows) > 1 else 0
    return fractions


def _axis(axes: Axes, place: int, key: Parameter, result: bool) -> None:
    axes.plot([place, place], [-0.04, 1.04], color=BLACK, linewidth=1, zorder=3)
    for fraction, label in key.ticks():
        axes.plot([place, place + 0.025], [fraction, fraction], color=BLACK, linewidth=1, zorder=3)
        axes.text(
            place + 0.045, fraction, shorten_middle(label, 16), fontsize=9, va="center", zorder=4,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    name = _in_lines(key.key)
    axes.text(place, 1.09, name, ha="center", va="bottom", fontsize=10, fontweight="bold" if result else "normal")


def _in_lines(key: str) -> str:
    """Break a key at a dot or a slash into at most two lines, short enough to stand beside its neighbours."""
    cut = max(key.rfind("."), key.rfind("/")) + 1
    parts = [key] if len(key) <= 14 else [key[:cut], key[cut:]]
    return "\n".join(shorten_middle(part, 19) for part in parts if part)
