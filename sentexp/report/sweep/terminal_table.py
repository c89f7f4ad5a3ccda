"""The points of a sweep as a table in the terminal."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console
from rich.table import Table

from sentexp.report.sweep.points import count_states, value_texts
from sentexp.report.sweep.tables import format_mean_and_deviation, ranked_points
from sentexp.sweep.point import short_names, short_text
from sentexp.sweep.results import SweepResults

MOST_SHOWN = 30
"""Points that are printed."""

WIDEST_HEADING = 9
"""Characters per line of a heading."""


def print_points(results: SweepResults, console: Console) -> None:
    """Print one row per point, the best first and marked."""
    best = results.best()
    points = ranked_points(results)
    title = f"Sweep {results.name}: {count_states(job.state for job in results.jobs) or 'no job'}"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for name in short_names(results.swept).values():
        table.add_column(_heading(name), overflow="fold")
    for metric in results.metrics:
        table.add_column(_heading(metric), justify="right", no_wrap=True)
    table.add_column("state")
    table.add_column("jobs")
    for point in points[:MOST_SHOWN]:
        given = value_texts(point)
        is_best = best is not None and point.overrides == best.overrides
        keys = [short_text(given.get(key, "")) for key in results.swept]
        metrics = [format_mean_and_deviation(point, index) for index in range(len(results.metrics))]
        state = point.states[0] if len(point.states) == 1 else count_states(point.states)
        state += ", transductive" if point.transductive else ""
        row = ["best" if is_best else "", *keys, *metrics, state, " ".join(str(job.number) for job in point.jobs)]
        table.add_row(*map(_literal, row), style="bold" if is_best else None)
    console.print(_literal(title), highlight=False)
    console.print(table)
    if len(points) > MOST_SHOWN:
        console.print(f"{len(points) - MOST_SHOWN:,} more points in points.csv", highlight=False)


def _heading(name: str) -> str:
    """Break a long name behind `/`, `.` and `_`, so that its column is not wider than the numbers in it."""
    lines = [""]
    for part in re.findall(r"[^/._]*[/._]?", name):
        if len(lines[-1] + part) > WIDEST_HEADING and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _literal(text: str) -> str:
    return text.replace("[", r"\[")  # no markup of rich's: a value may be a list
