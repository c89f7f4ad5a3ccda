from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import made_up_sweeps as made_up
import matplotlib
import pandas as pd
import pytest

from sentexp.report.sweep.folder import write_sweep_report
from sentexp.sweep.results import SweepResults

TABLES = ["jobs.csv", "jobs.html", "points.csv"]
PICTURES = [
    "learning_curves.png", "metric_by_parameter.png", "optimisation_history.png", "parallel_coordinates.png",
    "parameter_importance.png",
]  # fmt: skip


@pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")
@pytest.mark.parametrize("shape", made_up.SHAPES, ids=lambda shape: shape.__name__)
def test_every_file_is_written_at_any_stage_of_any_sweep(shape: Callable[[Path], SweepResults], tmp_path: Path) -> None:
    results = shape(tmp_path)
    before = dict(matplotlib.rcParams)
    written = write_sweep_report(results, tmp_path / "report")
    assert dict(matplotlib.rcParams) == before
    pareto = ["pareto_front.png"] if len(results.metrics) > 1 else []
    assert sorted(path.name for path in written) == sorted([*TABLES, *PICTURES, *pareto])
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written if path.suffix == ".png")
    assert len(pd.read_csv(tmp_path / "report" / "jobs.csv")) == len(results.jobs)
    assert len(pd.read_csv(tmp_path / "report" / "points.csv", skip_blank_lines=False)) == len(results.points())


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")
def test_a_thousand_jobs_are_reported_too(tmp_path: Path) -> None:
    assert len(write_sweep_report(made_up.search(tmp_path, count=1000), tmp_path / "report")) == 8
