"""What the terminal shows at the end of a sweep: which jobs failed and why, the best point, where everything is.

Also what it shows instead of a sweep: which jobs there would be.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from sentexp.sweep.request import SweepRequest, seeds_of
from sentexp.sweep.results import SweepResults
from sentexp.tracking.environment import program
from sentexp.tracking.interface import Location

LONGEST_REASON = 100
"""Characters of an error that the table shows; the whole of it is in the job's log and in jobs.csv."""


def planned(request: SweepRequest) -> list[str]:
    """Return the lines that list the jobs of a sweep that has not begun."""
    plan, settings = request.plan, request.settings
    fixed = [str(one.input_line) for key, one in plan.overrides.items() if key not in plan.axes]
    seeds = seeds_of(request)
    if settings.is_search:
        lines = [f"{settings.n_trials * len(seeds):,} jobs at points that {settings.sampler} chooses from:"]
        lines += [f"  {axis.input_line}" for axis in plan.axes.values()]
    else:
        jobs = [(point, seed) for point in plan.points() for seed in seeds]
        lines = [f"{len(jobs):,} jobs:"]
        for number, (point, seed) in enumerate(jobs):
            lines.append(f"  {number} {point}{'' if seed is None else f' seed={seed}'}".rstrip())
    lines.append(f"all with: {' '.join(fixed) or 'the defaults'}")
    return [*lines, "none was run (sweep.dry_run=true)"]


def summary(results: SweepResults, location: Location | None, resume: str) -> list[str]:
    """Return the lines to print. `resume` is the command that runs what is left; `location` that of the parent run."""
    states = [job.state for job in results.jobs]
    counts = [f"{states.count(state)} {state}" for state in ("finished", "pruned", "failed") if state in states]
    unfinished = len([state for state in states if state in ("waiting", "running")])
    counts += [f"{unfinished} not run"] if unfinished else []
    lines = ["", f"sweep {results.name}: {', '.join(counts) or 'no run'}"]
    failed = [job for job in results.jobs if job.state == "failed"]
    if failed:
        rows = [("job", "overrides", "why", "log")]
        for job in failed:
            seed = f"seed={job.seed}" if job.seed is not None else ""
            log = _log_of(results.folder / job.folder)
            rows.append((str(job.number), f"{job.point.short} {seed}".strip(), _shortened(job.error or ""), log))
        lines += ["", *_table(rows), ""]
    best = results.best()
    if best is not None and best.values is not None:
        values = []
        for index, (name, value) in enumerate(zip(results.metrics, best.values, strict=True)):
            spread = f" ± {best.deviations[index]:.4f} (n={best.n})" if best.deviations is not None else ""
            values.append(f"{name} {value:.4f}{spread}")
        kind = " (transductive: has seen texts of the test reviews)" if best.transductive else ""
        lines.append(f"best: {best.point.short or 'the only point'}: {', '.join(values)}{kind}")
    folder = _relative(results.folder)
    lines.append(f"tables and plots: {folder}/report, made by {shlex.join(['sentexp', 'report', folder])}")
    if best is not None:
        again = [program(), "--config-dir", folder, "experiment=best"]
        lines.append(f"run the best point: {shlex.join(again)}")
    if failed or unfinished:
        lines.append(f"run the rest: {resume}")
    if location is not None:
        lines += location.lines()
    return lines


def _shortened(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 3] + "..."


def _log_of(folder: Path) -> str:
    """Return the path of a job's own log; if it wrote none, of all that it printed, or at least its folder."""
    logs = sorted(folder.glob("*.log"), key=lambda path: path.name == "output.log")
    return _relative(logs[0] if logs else folder)


def _relative(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
