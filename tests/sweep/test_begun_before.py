"""Sweeps that an earlier version of this program began; see begun_before/README.md."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from optuna.importance import get_param_importances

from sentexp.sweep.results import SweepResults
from sentexp.sweep.storage import point_of

FOLDER = Path(__file__).parent / "begun_before"


def put_into(app, name: str) -> SweepResults:
    """Make the program's folder what it was when the sweep stopped, without the reasons for its failures."""
    shutil.copytree(FOLDER / name, app.folder / "begun")
    (app.folder / "begun" / "ran.txt").rename(app.folder / "ran.txt")
    manifest = app.folder / "begun" / "sweep.yaml"
    manifest.write_text(manifest.read_text().replace("cwd: FOLDER", f"cwd: {app.folder}"))
    app.mend()
    return app.results


def ended_well(results: SweepResults) -> dict[int, object]:
    return {job.number: (job.point, job.to_dict()) for job in results.jobs if job.state in ("finished", "pruned")}


@pytest.mark.parametrize(
    "launcher",
    [["hydra/launcher=basic"], pytest.param([], id="as recorded", marks=pytest.mark.slow)],
)
def test_a_grid_is_finished(app, launcher: list[str]) -> None:
    if not launcher:
        pytest.importorskip("cloudpickle", reason="needs the extra pool")
    before = put_into(app, "grid")
    states = Counter(job.state for job in before.jobs)
    assert states == {"finished": 11, "failed": 4, "waiting": 5}
    lines = app.ran

    ended = app("sweep.resume=begun", *launcher)
    assert ended.status == 0, ended.refused
    after = app.results
    assert {job.state for job in after.jobs} == {"finished"}
    every = [(f"x={x} y={y}", seed) for x, y, seed in product(range(5), (1, 2), (0, 1))]
    assert sorted((str(job.point), job.seed) for job in after.jobs) == every
    assert len({job.number for job in after.jobs}) == 20
    kept = ended_well(before)
    assert {number: job for number, job in ended_well(after).items() if number in kept} == kept
    interrupted = {job.number for job in before.jobs if job.state == "waiting"}
    assert interrupted < {job.number for job in after.jobs}
    new = {job.number for job in after.jobs} - kept.keys() - interrupted
    assert min(new) > max(job.number for job in before.jobs)
    again = Counter(app.ran[len(lines) :])
    assert again == Counter(
        " ".join([*job.point.values.values(), str(job.seed)]) for job in before.jobs if job.state != "finished"
    )
    best = after.best()
    assert best is not None
    assert (best.overrides, best.n) == (("x=4", "y=1"), 2)
    assert best.values == pytest.approx((3.05,))
    # trials of today have parameters, those from before have none: Optuna's tools accept both in one study
    parameters = {str(point_of(trial)): trial.params for trial in app.study.trials if trial.params}
    assert parameters["x=1 y=2"] == {"x": 1, "y": 2}
    assert len(parameters) == 5
    assert set(get_param_importances(app.study, params=["x", "y"])) == {"x", "y"}


def test_a_search_is_finished(app) -> None:
    before = put_into(app, "search")
    states = Counter(job.state for job in before.jobs)
    assert states == {"finished": 6, "pruned": 2, "failed": 2, "waiting": 2}
    lines = app.ran

    ended = app("sweep.resume=begun")
    assert ended.status == 0, ended.refused
    after = app.results
    assert Counter(job.state for job in after.jobs).keys() == {"finished", "pruned"}
    assert len(after.jobs) == 2 * 9
    kept = ended_well(before)
    assert {number: job for number, job in ended_well(after).items() if number in kept} == kept
    new = [job for job in after.jobs if job.number not in kept]
    known = {job.number for job in before.jobs if job.state == "failed"} & {job.number for job in new}
    assert not known  # what failed has left its number behind
    assert [str(job.point) for job in new].count("x=8 y=1") >= 4  # one trial had failed, one was interrupted
    finished = Counter(" ".join([*job.point.values.values(), str(job.seed)]) for job in new if job.state == "finished")
    assert finished <= Counter(app.ran[len(lines) :])  # a pruned job may have run as well
