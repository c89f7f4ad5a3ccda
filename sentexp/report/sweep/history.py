"""Optimisation history: the best value so far, job by job."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sentexp.report.style import BLUE, ORANGE, SKY, VERMILION, new_figure, plain, say, styled
from sentexp.report.sweep.points import counts, measured, why_nothing
from sentexp.sweep.results import SweepResults


@styled
def optimisation_history(record: SweepResults) -> Figure:
    """A row for each metric. With several seeds the best is that of the points' means, each at its last job."""
    rows = len(record.metrics)
    figure, grid = new_figure(9, 4.6 if rows == 1 else 3.4 * rows, rows=rows, sharex=True)
    for index, axes in enumerate(grid):
        axes.set_title(f"{plain(record.metrics[index], 40)}, job by job")
        if not measured(record):
            say(axes, why_nothing(record))
            continue
        _history(axes, record, index)
        axes.set_ylabel(plain(record.metrics[index], 30))
    if measured(record):
        grid[-1].set_xlabel(f"job ({counts(job.state for job in record.jobs)})")
        grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        grid[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _history(axes: Axes, record: SweepResults, index: int) -> None:
    finished = [(job.number, job.values[index]) for job in record.jobs if job.values is not None]
    size = 6 if len(finished) <= 100 else 3.5
    axes.plot(*zip(*finished, strict=True), "o", color=SKY, markersize=size, linestyle="none", label="a job")
    points = sorted(
        (max(job.number for job in point.jobs if job.values is not None), point.values[index])
        for point in measured(record)
        if point.values is not None
    )
    seeds = any(point.n > 1 for point in measured(record))
    if seeds:
        axes.plot(*zip(*points, strict=True), "_", color=BLUE, markersize=9, linestyle="none", label="mean of a point")
    numbers, means = map(np.array, zip(*points, strict=True))
    upward = record.directions[index] == "maximize"
    best = np.maximum.accumulate(means) if upward else np.minimum.accumulate(means)
    last = max(job.number for job in record.jobs)
    label = "best mean so far" if seeds else "best so far"
    axes.step([*numbers, last], [*best, best[-1]], where="post", color=BLUE, label=f"{label}: {best[-1]:.4g}")
    for state, marker, colour, height in (("pruned", "v", ORANGE, 0.06), ("failed", "x", VERMILION, 0.02)):
        ended = [job.number for job in record.jobs if job.state == state]
        if ended:
            axes.plot(
                ended, [height] * len(ended), marker, color=colour, markersize=size, linestyle="none",
                transform=axes.get_xaxis_transform(), label=f"{state} ({len(ended):,})", clip_on=False,
            )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.1 * (high - low), high)  # room for the marks
