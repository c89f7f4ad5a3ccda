from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.job_reporter import JobReporter
from sentexp.sweep.point import Point

WAITING = JobRecord(
    number=3, point=Point(("a.b=1", "model=lstm")), seed=7, state="waiting", folder="3", trial=2, index=1
)

FINISHED = dataclasses.replace(
    WAITING, state="finished", began=1.5, host="here", pid=12, process_start="99", values=(0.5, 2.0),
    metrics={"test/f1": 0.5}, history=[{"valid/loss": 0.1}], seconds=2.5, run_id="abc",
)  # fmt: skip


def test_a_job_that_waits_is_stored_without_what_is_not_known_yet() -> None:
    assert WAITING.to_dict() == {"number": 3, "seed": 7, "state": "waiting", "folder": "3"}
    assert dataclasses.replace(WAITING, seed=None).to_dict()["seed"] is None


def test_what_is_stored_is_read_as_the_same_record() -> None:
    for job in (
        WAITING,
        FINISHED,
        dataclasses.replace(FINISHED, values=None, state="failed", error="ValueError: no"),
        dataclasses.replace(FINISHED, transductive=True),
    ):
        assert JobRecord.from_dict(job.to_dict(), point=job.point, trial=2, index=1) == job


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "3"), ("seed", 1.5), ("state", "gone"), ("folder", None), ("folder", "/etc"),
        ("folder", "a/../../b"), ("began", "now"), ("pid", "self"), ("values", ("x",)), ("metrics", {"loss": None}),
        ("history", [[1]]),
    ],
)  # fmt: skip
def test_a_record_that_no_sweep_can_have_written_is_told_by_its_field(field: str, value: Any) -> None:
    assert FINISHED.problem() is None
    assert dataclasses.replace(FINISHED, **{field: value}).problem() == f"{field} is {value!r}"


def test_a_recorded_run_is_named_by_the_number_and_what_varies() -> None:
    assert WAITING.run_name == "3 b=1 model=lstm seed=7"
    assert dataclasses.replace(WAITING, seed=None, point=Point(())).run_name == "3"


def test_only_a_job_that_failed_has_ended_and_is_not_done() -> None:
    found = {state: dataclasses.replace(WAITING, state=state) for state in ("waiting", "finished", "failed", "pruned")}
    assert [state for state, job in found.items() if job.has_ended] == ["finished", "failed", "pruned"]
    assert [state for state, job in found.items() if job.is_done] == ["finished", "pruned"]


def test_what_a_job_reports_at_its_end_is_stored_with_it() -> None:
    for transductive, stored in ((True, True), (False, None)):
        written: list[JobRecord] = []
        reporter = JobReporter(SimpleNamespace(write=written.append), WAITING, None)
        reporter.finish({"test/f1": 0.5}, transductive=transductive)
        reporter.end("finished", values=(0.5,))
        assert (written[-1].metrics, written[-1].transductive) == ({"test/f1": 0.5}, stored)
