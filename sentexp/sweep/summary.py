"""The last words of a sweep: what failed and why, what was best, where everything is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from sentexp.sweep.results import SweepResults
from sentexp.tracking.environment import program
from sentexp.tracking.interface import Location

WIDEST = 100
"""Characters of a reason; the whole of it is in the job's log and in jobs.csv."""


def summary(record: SweepResults, location: Location | None, resume: str) -> list[str]:
    """Lines to print."""
    states = [job.state for job in record.jobs]
    counted = [f"{states.count(state)} {state}" for state in ("finished", "pruned", "failed") if state in states]
    unfinished = len([state for state in states if state in ("waiting", "running")])
    counted += [f"{unfinished} not run"] if unfinished else []
    lines = ["", f"sweep {record.name}: {', '.join(counted) or 'no run'}"]
    failed = [job for job in record.jobs if job.state == "failed"]
    if failed:
        rows = [("job", "overrides", "why", "log")]
        for job in failed:
            overrides = [*job.point, *([f"seed={job.seed}"] if job.seed is not None else [])]
            rows.append(
                (str(job.number), " ".join(overrides), _cut(job.error or ""), _log_of(record.folder / job.folder))
            )
        lines += ["", *_table(rows), ""]
    best = record.best()
    if best is not None and best.values is not None:
        figures = []
        for index, (name, value) in enumerate(zip(record.metrics, best.values, strict=True)):
            spread = f" ± {best.deviations[index]:.4f} (n={best.n})" if best.deviations is not None else ""
            figures.append(f"{name} {value:.4f}{spread}")
        lines.append(f"best: {' '.join(best.overrides) or 'the only point'}: {', '.join(figures)}")
    folder = _short(record.folder)
    lines.append(f"tables and plots: {folder}/report, made by {shlex.join(['python', '-m', 'sentexp.report', folder])}")
    if best is not None:
        again = [program(), "--config-dir", folder, "experiment=best"]
        lines.append(f"run the best point: {shlex.join(again)}")
    if failed or unfinished:
        lines.append(f"run the rest: {resume}")
    if location is not None:
        lines.append(f"look at it: {location.ui_command}")
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _log_of(folder: Path) -> str:
    """The job's own log; where it wrote none, all that it said, or at least its folder."""
    logs = sorted(folder.glob("*.log"), key=lambda path: path.name == "output.log")
    return _short(logs[0] if logs else folder)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
