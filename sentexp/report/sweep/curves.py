"""The learning curves of all jobs of a sweep in one picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sentexp.report.style import BLUE, GREY, ORANGE, VERMILION, new_figure, picture_text, styled, write_instead
from sentexp.report.sweep.points import describe_point
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.results import SweepResults

STATE_STYLES = (("finished", BLUE, "-"), ("running", BLUE, ":"), ("failed", GREY, ":"), ("pruned", ORANGE, "-"))
"""Colour and line of the curves of jobs in each state."""
END_MARKERS = {"failed": "x", "pruned": "v"}
"""Marker at the end of the curves of jobs in a state."""


@styled
def sweep_curves(results: SweepResults) -> Figure:
    """Draw one line per job: by epoch, the metric that `curve_metric` finds for the first metric of the sweep."""
    figure, (axes,) = new_figure(9, 5)
    jobs = [job for job in results.jobs if job.history]
    metric = curve_metric(results.metrics[0], (entry for job in jobs for entry in job.history))
    if metric is None:
        axes.set_title("Learning curves")
        write_instead(axes, "the epochs hold no metric" if jobs else "no job has recorded an epoch")
        return figure
    best = results.best()
    of_best = {job.number for job in best.jobs} if best is not None else set()
    for state, colour, style in STATE_STYLES:
        count = sum(job.state == state for job in jobs)
        curves = [_curve(job, metric) for job in jobs if job.state == state and job.number not in of_best]
        _draw(axes, [curve for curve in curves if curve], colour, style, END_MARKERS.get(state), f"{state} ({count:,})")
    if best is not None:
        label = f"best: {picture_text(describe_point(best, results.swept) or 'the only point', 60)}"
        for curve in filter(None, (_curve(job, metric) for job in best.jobs)):
            axes.plot(*zip(*curve, strict=True), "o-", color=VERMILION, markersize=4, linewidth=2.4, label=label)
    axes.autoscale_view()
    axes.set_title(f"{picture_text(metric, 40)} by epoch, {len(jobs):,} job{'s' * (len(jobs) > 1)}")
    axes.set_xlabel("epoch")
    axes.set_ylabel(picture_text(metric, 40))
    axes.set_xlim(0.5, max(len(job.history) for job in jobs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # one entry for all seeds of the best
    figure.legend(named.values(), named, loc="outside lower left", ncols=min(3, len(named)))
    return figure


def _draw(
    axes: Axes, curves: Sequence[list[tuple[float, float]]], colour: str, style: str, end: str | None, label: str
) -> None:
    """Draw the curves, the paler the more there are. Each ends in the marker `end`; one of a single epoch is a dot."""
    if not curves:
        return
    alpha = 0.75 if len(curves) <= 20 else 0.4 if len(curves) <= 100 else 0.2
    width = 1.4 if len(curves) <= 100 else 0.9
    axes.add_collection(LineCollection(curves, colors=colour, linestyles=style, linewidths=width, alpha=alpha))
    marked = [curve[-1] for curve in curves if end or len(curve) == 1]
    if marked:
        x, y = zip(*marked, strict=True)
        axes.plot(x, y, end or "o", color=colour, markersize=5, linestyle="none", alpha=max(alpha, 0.6))
    axes.plot([], [], style, color=colour, marker=end, markersize=5, label=label)


def curve_metric(metric: str, entries: Iterable[Mapping[str, float]]) -> str | None:
    """Return the metric of the epochs that `metric` comes from, such as valid/accuracy for best/valid_accuracy.

    `entries` are those of the jobs' histories; None if they hold no metric.
    """
    names: dict[str, None] = {}
    for entry in entries:
        names |= dict.fromkeys(entry)
    names.pop("epoch", None)
    split, _, name = metric.rpartition("/")[2].partition("_")
    likely = (metric, f"{split}/{name}", f"valid/{metric.rpartition('/')[2]}", "valid/accuracy", "valid/loss")
    return next((candidate for candidate in (*likely, *names) if candidate in names), None)


def _curve(job: JobRecord, metric: str) -> list[tuple[float, float]]:
    """Return epoch and value for each epoch of the job that has the metric."""
    return [(entry.get("epoch", place), entry[metric]) for place, entry in enumerate(job.history, 1) if metric in entry]
