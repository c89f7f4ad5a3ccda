"""`python -m sentexp.report SWEEP`: rebuild the report of a sweep from what was recorded, and print its points."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sentexp import terminal
from sentexp.errors import SentexpError
from sentexp.report.sweep.terminal_table import print_points
from sentexp.sweep.manifest import find
from sentexp.sweep.results import SweepResults


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status: 0, or 2 for a folder that holds no sweep."""
    parser = argparse.ArgumentParser(
        prog="python -m sentexp.report", description="Rebuild the tables and pictures of a sweep and print its points."
    )
    parser.add_argument("sweep", metavar="SWEEP", help="the sweep's folder, or latest: the newest one in multirun/")
    given = parser.parse_args(arguments)
    try:
        results = SweepResults.load(find(given.sweep, Path("multirun")))
        from sentexp.report.sweep.folder import write_sweep_report

        written = write_sweep_report(results, results.folder / "report")
    except SentexpError as error:
        print(f"sentexp.report: {error}", file=sys.stderr)
        return error.exit_status
    print_points(results, terminal.console())
    pictures = sum(path.suffix == ".png" for path in written)
    print(f"report: {results.folder / 'report'} (jobs.html, jobs.csv, points.csv, {pictures} pictures)")
    if any(path.name == "best.yaml" for path in written):
        again = ["python", "-m", "sentexp", "--config-dir", str(results.folder), "experiment=best"]
        print(f"run the best again: {shlex.join(again)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
