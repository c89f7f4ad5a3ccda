"""The study in which a sweep is written down."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sentexp.errors import SentexpError
from sentexp.sweep.orphans import kill
from sentexp.sweep.storage import SweepStorage, entries, newest, open_storage, point_of, process_start, this_process


def job(number: int, state: str = "waiting", **more: Any) -> dict[str, Any]:
    return {"number": number, "folder": str(number), "seed": None, "state": state, **more}


@pytest.fixture
def ledger(tmp_path: Path) -> SweepStorage:
    return open_storage(str(tmp_path / "study.journal"), "s", directions=["minimize"])


def add(ledger: SweepStorage, jobs: int = 1, **attributes: Any) -> int:
    return ledger.add(
        {"overrides": ["a=1"], "driver": "me", **{f"job/{index}": job(index) for index in range(jobs)}, **attributes},
        {},
        {},
    )


@pytest.mark.parametrize(
    ("states", "state", "values"),
    [
        (["finished", "finished", "finished"], TrialState.COMPLETE, [2.0]),
        (["finished", "failed", "finished"], TrialState.COMPLETE, [2.0]),
        (["failed", "failed", "failed"], TrialState.FAIL, None),
        (["pruned", "finished", "pruned"], TrialState.PRUNED, None),
        (["finished", "running", "failed"], TrialState.RUNNING, None),
    ],
)
def test_a_trial_ends_with_its_last_job(
    ledger: SweepStorage, states: list[str], state: TrialState, values: Any
) -> None:
    number = add(ledger, jobs=3)
    for index, end in enumerate(states):
        ledger.write(number, index, job(index, end, values=[1.0 + index]))
    trial = ledger.trial(number)
    assert trial.state == state
    assert trial.values == values
    assert [entry["state"] for entry in entries(trial).values()] == states


def test_the_password_of_a_database_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def refuse(url: str) -> None:
        opened.append(url)
        raise ValueError("no")

    monkeypatch.setattr("sentexp.sweep.storage.RDBStorage", refuse)
    with pytest.raises(SentexpError, match=r"read from SENTEXP_STORAGE_PASSWORD, which is not set"):
        open_storage("postgresql://me@db/x", "s")
    monkeypatch.setenv("SENTEXP_STORAGE_PASSWORD", "a@b/c")
    with pytest.raises(SentexpError) as error:
        open_storage("postgresql://me@db/x", "s")
    assert str(error.value) == "sweep.storage=postgresql://me@db/x: no"
    assert opened == ["postgresql://me@db/x", "postgresql://me:a%40b%2Fc@db/x"]


def test_another_process_reads_what_this_one_wrote(ledger: SweepStorage, tmp_path: Path) -> None:
    number = add(ledger)
    program = f"""
        from sentexp.sweep.storage import entries, open_storage
        ledger = open_storage({str(tmp_path / "study.journal")!r}, "s")
        (entry,) = entries(ledger.trial({number})).values()
        ledger.write({number}, 0, entry | {{"state": "finished", "values": [3.0]}})
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
    assert ledger.trial(number).values == [3.0]


def test_a_driver_sees_its_own_trials_and_the_newest_of_a_point(ledger: SweepStorage) -> None:
    first, again, _ = add(ledger), add(ledger, retry_of=0), add(ledger, driver="other")
    assert [trial.number for trial in ledger.trials("me")] == [first, again]
    (left,) = newest(ledger.trials("me"))
    assert left.number == again
    assert point_of(left) == ("a=1",)


def test_a_line_that_a_killed_process_had_begun_is_mended(ledger: SweepStorage, tmp_path: Path) -> None:
    add(ledger)
    with (tmp_path / "study.journal").open("a") as file:
        file.write('{"op_code": 4, "half')
    number = add(ledger)
    text = (tmp_path / "study.journal").read_text()
    assert "half" not in text
    assert text.endswith("\n")
    assert ledger.trial(number).state == TrialState.RUNNING


def test_what_cannot_be_a_storage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no journal\n")
    for storage in (str(tmp_path / "text"), "nosuchdatabase://user:secret@host/x"):
        with pytest.raises(SentexpError, match=r"^sweep\.storage=.*[^\n]$") as error:
            open_storage(storage, "s", directions=["minimize"])
        assert "secret" not in str(error.value)


def test_a_study_of_another_direction_or_none_is_refused(ledger: SweepStorage, tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match="its direction is minimize"):
        open_storage(str(tmp_path / "study.journal"), "s", directions=["maximize"])
    with pytest.raises(SentexpError, match="no such study"):
        open_storage(str(tmp_path / "study.journal"), "t")


def test_a_job_left_behind_is_killed_and_no_other_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        here = job(0, "running", **this_process())
        left = here | {"pid": child.pid, "process_start": process_start(child.pid)}
        kill([here, left | {"process_start": "before"}, left | {"host": "elsewhere"}, left | {"state": "finished"}])
        assert child.poll() is None
        kill([left])
        assert child.wait(10) == -9
    assert process_start(child.pid) is None
    assert process_start(os.getpid()) is not None
