"""Optimisation history: the best value so far after each job."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sentexp.report.style import BLUE, ORANGE, SKY, VERMILION, new_figure, picture_text, styled, write_instead
from sentexp.report.sweep.points import count_states, no_results_text, points_with_results
from sentexp.sweep.results import SweepResults


@styled
def optimisation_history(results: SweepResults) -> Figure:
    """Draw one row per metric.

    With several seeds per point, the best is the best mean of a point, and a mean is drawn at the point's last job.
    """
    rows = len(results.metrics)
    figure, grid = new_figure(9, 4.6 if rows == 1 else 3.4 * rows, rows=rows, sharex=True)
    for index, axes in enumerate(grid):
        axes.set_title(f"{picture_text(results.metrics[index], 40)}, job by job")
        if not points_with_results(results):
            write_instead(axes, no_results_text(results))
            continue
        _history(axes, results, index)
        axes.set_ylabel(picture_text(results.metrics[index], 30))
    if points_with_results(results):
        grid[-1].set_xlabel(f"job ({count_states(job.state for job in results.jobs)})")
        grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        grid[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _history(axes: Axes, results: SweepResults, index: int) -> None:
    finished = [(job.number, job.values[index]) for job in results.jobs if job.values is not None]
    size = 6 if len(finished) <= 100 else 3.5
    axes.plot(*zip(*finished, strict=True), "o", color=SKY, markersize=size, linestyle="none", label="a job")
    points = sorted(
        (max(job.number for job in point.jobs if job.values is not None), point.values[index])
        for point in points_with_results(results)
        if point.values is not None
    )
    seeds = any(point.n > 1 for point in points_with_results(results))
    if seeds:
        axes.plot(*zip(*points, strict=True), "_", color=BLUE, markersize=9, linestyle="none", label="mean of a point")
    numbers, means = map(np.array, zip(*points, strict=True))
    upward = results.directions[index] == "maximize"
    best = np.maximum.accumulate(means) if upward else np.minimum.accumulate(means)
    last = max(job.number for job in results.jobs)
    label = "best mean so far" if seeds else "best so far"
    axes.step([*numbers, last], [*best, best[-1]], where="post", color=BLUE, label=f"{label}: {best[-1]:.4g}")
    for state, marker, colour, height in (("pruned", "v", ORANGE, 0.06), ("failed", "x", VERMILION, 0.02)):
        ended = [job.number for job in results.jobs if job.state == state]
        if ended:
            axes.plot(
                ended, [height] * len(ended), marker, color=colour, markersize=size, linestyle="none",
                transform=axes.get_xaxis_transform(), label=f"{state} ({len(ended):,})", clip_on=False,
            )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.1 * (high - low), high)  # room for the marks
