from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point
from sentexp.sweep.progress import SweepProgress, duration, ended_line
from sentexp.sweep.storage import SweepStorage, open_storage


@pytest.fixture
def storage(tmp_path: Path) -> SweepStorage:
    return open_storage(str(tmp_path / "study.journal"), "s", directions=["minimize"])


def add(storage: SweepStorage, number: int, *ends: str | float) -> None:
    """Add a trial at x=`number` with one job per end, which is a state or the value of a finished job."""
    point = Point((f"x={number}",))
    jobs = [JobRecord(10 * number + index, point, index, "waiting", "", index=index) for index in range(len(ends))]
    trial = storage.add("me", point, jobs, {}, {})
    for job, end in zip(jobs, ends, strict=True):
        found = {"state": end} if isinstance(end, str) else {"state": "finished", "values": (end,), "seconds": 4.0}
        storage.write(replace(job, trial=trial, **found))


def test_jobs_are_counted_by_their_state_and_the_best_point_is_a_mean_over_seeds(storage: SweepStorage) -> None:
    add(storage, 1, 3.0, 1.0)
    add(storage, 2, 0.5, "running")  # not known yet
    add(storage, 3, 4.0, "failed")
    add(storage, 4, "pruned", 0.0)  # hopeless
    add(storage, 5, "failed", "waiting")
    trials = storage.newest_trials("me")
    progress = SweepProgress.of(trials, total=12, direction="minimize", first=0)
    assert str(progress) == "8/12, 1 running, 2 failed, 1 pruned"
    assert (progress.finished, progress.ended) == (5, 8)
    assert progress.best_so_far() == "best so far 2.0000 (x=1)"
    assert progress.time_left(2) == "about 8 s left"
    assert SweepProgress.of(trials, 12, "maximize", 0).best_so_far() == "best so far 4.0000 (x=3)"


def test_failures_of_an_earlier_start_are_waiting_to_be_tried_again(storage: SweepStorage) -> None:
    add(storage, 1, "failed")
    add(storage, 2, "failed")
    progress = SweepProgress.of(storage.newest_trials("me"), total=2, direction="minimize", first=1)
    assert (progress.failed, progress.ended) == (1, 1)
    assert (progress.best_so_far(), progress.time_left(1)) == ("", "")


@pytest.mark.parametrize(("seconds", "text"), [(12.4, "12 s"), (100, "2 min"), (5400, "1.5 h")])
def test_a_duration_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_tells_how_a_job_ended() -> None:
    job = JobRecord(3, Point(("a=1", "b=2")), None, "finished", "3", values=(0.5, 2.0), seconds=12.0)
    assert ended_line(job) == "job 3  a=1 b=2  finished 0.5000 2.0000  12 s"
    failed = replace(job, state="failed", values=None, error="ValueError: no", seconds=None)
    assert ended_line(failed) == "job 3  a=1 b=2  failed: ValueError: no"
