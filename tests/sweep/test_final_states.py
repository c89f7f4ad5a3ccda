"""The ends of jobs that could not record them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus

from sentexp.sweep.final_states import FinalStates
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point
from sentexp.sweep.storage import SweepStorage, open_storage


class Parent:
    """A recorded run that remembers what it was told of its children."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def end_child(self, run_id: str, reason: str) -> None:
        self.told.append((run_id, reason))

    def add_failed_child(self, name: str, reason: str) -> None:
        self.told.append((name, reason))


@pytest.fixture
def storage(tmp_path: Path) -> SweepStorage:
    return open_storage(str(tmp_path / "study.journal"), "s", directions=["minimize"])


@pytest.fixture
def parent() -> Parent:
    return Parent()


@pytest.fixture
def final_states(storage: SweepStorage, parent: Any, tmp_path: Path) -> FinalStates:
    config = SimpleNamespace(hydra=SimpleNamespace(job=SimpleNamespace(name="app")))
    request: Any = SimpleNamespace(folder=tmp_path, config=config)
    return FinalStates(request, storage, parent)


def add(storage: SweepStorage, **known: Any) -> JobRecord:
    job = JobRecord(5, Point(("x=1",)), None, "waiting", folder="5")
    job = replace(job, trial=storage.add("me", job.point, [job], {}, {}), **known)
    storage.write(job)
    return job


def failed(error: Exception) -> JobReturn:
    result = JobReturn(status=JobStatus.FAILED)
    result.return_value = error
    return result


@pytest.mark.parametrize(
    ("known", "returned", "error", "state", "reason"),
    [
        ({"state": "running"}, None, None, "failed", "its process ended without a result"),
        ({"state": "running"}, failed(ValueError("a\nb")), None, "failed", "ValueError: a b"),
        ({"state": "waiting"}, None, RuntimeError("no launcher"), "failed", "RuntimeError: no launcher"),
        ({"state": "waiting"}, None, None, "waiting", None),  # it never began
        ({"state": "failed", "error": "its own"}, failed(ValueError("late")), None, "failed", "its own"),
        ({"state": "finished", "values": (1.0,)}, None, None, "finished", None),
    ],
)
def test_a_job_that_died_has_failed_and_its_run_says_why(
    storage, parent, final_states, known, returned, error, state, reason
) -> None:
    for run_id, child in (("abc", "abc"), (None, "5 x=1")):
        job = add(storage, run_id=run_id, **known)
        now = final_states.settle(job, returned, error)
        assert now == storage.job(job.trial, 0)
        assert (now.state, now.error) == (state, reason)
        assert parent.told == ([] if reason is None else [(child, reason)])
        parent.told.clear()


def test_a_job_that_died_has_a_log(storage, final_states, tmp_path: Path) -> None:
    final_states.settle(add(storage, state="running"), failed(ValueError("told to raise")))
    assert "ValueError: told to raise" in (tmp_path / "5" / "app.log").read_text()


def test_a_job_that_is_interrupted_waits_for_a_resume(storage, final_states) -> None:
    running, finished = add(storage, state="running", began=1.0), add(storage, state="finished", values=(1.0,))
    with pytest.raises(KeyboardInterrupt), final_states.interruptible([running, finished]):
        raise KeyboardInterrupt
    assert storage.job(running.trial, 0) == replace(running, state="waiting", error="interrupted")
    assert storage.job(finished.trial, 0) == finished
