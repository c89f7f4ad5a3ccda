"""`sentexp report SWEEP`: rebuild the report of a sweep from what was recorded, and print its points."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from sentexp import terminal


@click.command()
@click.argument("sweep")
@click.option("--trust", is_flag=True, help="Send your SENTEXP_STORAGE_PASSWORD to the database that SWEEP names.")
def command(sweep: str, trust: bool) -> None:
    """Rebuild the tables, pictures and page of a sweep and print its points, the best first.

    SWEEP is its folder, or `latest`: the newest one in multirun/.

    \b
      sentexp report latest
      sentexp report multirun/2026-11-26/21-40-00.123456
    """
    from sentexp.report.sweep.folder import write_sweep_report
    from sentexp.report.sweep.terminal_table import print_points
    from sentexp.sweep.manifest import find
    from sentexp.sweep.results import SweepResults

    results = SweepResults.load(find(sweep, Path("multirun")), trust=trust)
    written = write_sweep_report(results, results.folder / "report")
    print_points(results, terminal.console())
    pictures = sum(path.suffix == ".png" for path in written)
    print(f"report: {results.folder / 'report'} (jobs.html, jobs.csv, points.csv, {pictures} pictures)")
    if any(path.name == "best.yaml" for path in written):
        print(f"run the best again: {shlex.join(['sentexp', '--config-dir', str(results.folder), 'experiment=best'])}")
