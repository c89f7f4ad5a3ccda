"""`python -m sentexp.report SWEEP`: every table and picture of a sweep, again, from what was recorded."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from sentexp import terminal
from sentexp.errors import SentexpError
from sentexp.report.sweep.points import counts, number, values
from sentexp.report.sweep.tables import mean_and_deviation, ranked
from sentexp.sweep.manifest import find
from sentexp.sweep.plan import short_names
from sentexp.sweep.results import SweepResults

MOST_SHOWN = 30

WIDEST_HEADING = 9
"""Characters of a line of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status is 0, or 2 for a folder that holds no sweep."""
    parser = argparse.ArgumentParser(
        prog="python -m sentexp.report", description="Rebuild the tables and pictures of a sweep and print its points."
    )
    parser.add_argument("sweep", metavar="SWEEP", help="the sweep's folder, or latest: the newest one in multirun/")
    given = parser.parse_args(arguments)
    try:
        record = SweepResults.load(find(given.sweep, Path("multirun")))
        from sentexp.report.sweep.folder import write_sweep_report

        written = write_sweep_report(record, record.folder / "report")
    except SentexpError as error:
        print(f"sentexp.report: {error}", file=sys.stderr)
        return error.exit_status
    show(record, terminal.console())
    print(f"report: {record.folder / 'report'} (jobs.html, jobs.csv, points.csv, {_pictures(written)})")
    if any(path.name == "best.yaml" for path in written):
        again = ["python", "-m", "sentexp", "--config-dir", str(record.folder), "experiment=best"]
        print(f"run the best again: {shlex.join(again)}")
    return 0


def show(record: SweepResults, console: Console) -> None:
    """The points as a table, the best first and marked."""
    best = record.best()
    points = ranked(record)
    title = f"Sweep {record.name}: {counts(job.state for job in record.jobs) or 'no job'}"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for name in short_names(record.swept).values():
        table.add_column(_heading(name), overflow="fold")
    for metric in record.metrics:
        table.add_column(_heading(metric), justify="right", no_wrap=True)
    table.add_column("state")
    table.add_column("jobs")
    for point in points[:MOST_SHOWN]:
        given = values(point)
        is_best = best is not None and point.overrides == best.overrides
        cells = [number(*given[key]) if key in given else "" for key in record.swept]
        means = [mean_and_deviation(point, index) for index in range(len(record.metrics))]
        state = point.states[0] if len(point.states) == 1 else counts(point.states)
        row = ["best" if is_best else "", *cells, *means, state, " ".join(str(job.number) for job in point.jobs)]
        table.add_row(*map(_literal, row), style="bold" if is_best else None)
    console.print(_literal(title), highlight=False)
    console.print(table)
    if len(points) > MOST_SHOWN:
        console.print(f"{len(points) - MOST_SHOWN:,} more points in points.csv", highlight=False)


def _pictures(written: Sequence[Path]) -> str:
    count = sum(path.suffix == ".png" for path in written)
    return f"{count} pictures"


def _heading(name: str) -> str:
    """Over several lines, broken behind `/`, `.` and `_`, where it is wider than the figures under it."""
    lines = [""]
    for part in re.findall(r"[^/._]*[/._]?", name):
        if len(lines[-1] + part) > WIDEST_HEADING and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _literal(text: str) -> str:
    return text.replace("[", r"\[")  # no markup: a value may be a list


if __name__ == "__main__":
    sys.exit(main())
