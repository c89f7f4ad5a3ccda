"""The results of points, and the best of them, from those of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentexp.errors import SentexpError
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.manifest import Manifest
from sentexp.sweep.point import Point
from sentexp.sweep.results import SweepResults
from sentexp.sweep.summary import summary


def job(number: int, point: str, state: str = "finished", values: tuple[float, ...] | None = None, **more) -> JobRecord:
    known = {"seed": None, "metrics": {}, "history": [], "seconds": 1.0, "error": None, "run_id": None, **more}
    return JobRecord(number=number, point=Point((point,)), state=state, values=values, folder=str(number), **known)


def sweep(*jobs: JobRecord, directions: tuple[str, ...] = ("maximize",)) -> SweepResults:
    return SweepResults(
        folder=Path("/sweep"), name="s", metrics=("a", "b")[: len(directions)], directions=directions, swept=("x",),
        jobs=list(jobs), config={}, choices={}, launcher="basic", parent_run_id=None,
    )  # fmt: skip


def test_a_point_is_the_mean_of_its_seeds() -> None:
    made = sweep(
        job(0, "x=1", values=(1.0,), seed=0),
        job(1, "x=1", values=(3.0,), seed=1),
        job(2, "x=1", state="failed", seed=2),
        job(3, "x=2", values=(1.5,), seed=0),
    )
    first, second = made.points()
    assert (first.values, first.deviations, first.n) == ((2.0,), (pytest.approx(2**0.5),), 2)
    assert first.states == ("finished", "finished", "failed")
    assert (second.values, second.deviations, second.n) == ((1.5,), None, 1)
    assert made.best() == first


def test_the_best_follows_the_directions_and_is_never_pruned() -> None:
    jobs = [
        job(0, "x=1", values=(1.0, 5.0)),
        job(1, "x=2", values=(1.0, 4.0)),
        job(2, "x=3", values=(2.0, 0.0)),
        job(3, "x=0", values=(0.0, 0.0)),
        job(4, "x=0", state="pruned"),
    ]
    for directions, best in {
        ("maximize", "minimize"): "x=3",
        ("minimize", "minimize"): "x=2",
        ("minimize", "maximize"): "x=1",
    }.items():
        found = sweep(*jobs, directions=directions).best()
        assert found is not None
        assert found.overrides == (best,)
    assert sweep(job(0, "x=1", state="failed")).best() is None


def test_a_folder_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match="no sweep"):
        SweepResults.load(tmp_path)


def test_a_point_is_transductive_if_a_model_of_it_is_and_the_summary_says_so_of_the_best() -> None:
    seeds = [job(0, "x=1", values=(1.0,), seed=0), job(1, "x=1", values=(3.0,), seed=1, transductive=True)]
    made = sweep(*seeds, job(2, "x=2", values=(1.0,), seed=0))
    assert [point.transductive for point in made.points()] == [True, False]
    best = "best: x=1: a 2.0000 ± 1.4142 (n=2) (transductive: has seen texts of the test reviews)"
    assert best in summary(made, None, "again")
    assert "transductive" not in "\n".join(summary(sweep(*seeds[:1]), None, "again"))


def test_a_database_that_a_folder_names_is_sent_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("sentexp.sweep.storage.RDBStorage", lambda address: opened.append(address))
    monkeypatch.setenv("SENTEXP_STORAGE_PASSWORD", "opensesame")
    Manifest(
        id="x", name="x", arguments=[], hydra_arguments=[], cwd="/", config={}, choices={}, launcher="basic",
        metrics=["loss"], directions=["minimize"], swept=[], seeds=1, storage="mysql://ann@far/x", study="x",
    ).write(tmp_path)  # fmt: skip
    line = r"sweep\.storage=mysql://ann@far/x: would be sent your SENTEXP_STORAGE_PASSWORD; expected --trust"
    with pytest.raises(SentexpError, match=line):
        SweepResults.load(tmp_path)
    assert opened == []
    with pytest.raises(SentexpError):  # since nothing has been opened
        SweepResults.load(tmp_path, trust=True)
    assert opened == ["mysql://ann:opensesame@far/x"]


def test_the_summary_lists_failures_the_best_point_and_the_commands() -> None:
    made = sweep(
        job(0, "x=1", values=(1.0,), seed=0),
        job(1, "x=1", values=(3.0,), seed=1),
        job(2, "x=2", state="failed", error="told to raise", seed=0),
        job(3, "x=3", state="waiting"),
    )
    said = "\n".join(summary(made, None, "sentexp -m sweep.resume=/sweep"))
    for words in ("2 finished, 1 failed, 1 not run", "2    x=2 seed=0  told to raise  /sweep/2",
                  "best: x=1: a 2.0000 ± 1.4142 (n=2)", "run the rest: sentexp -m sweep.resume=/sweep",
                  "--config-dir /sweep experiment=best"):  # fmt: skip
        assert words in said
