"""The study of a sweep."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sentexp.errors import SentexpError
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point
from sentexp.sweep.storage import SweepStorage, jobs_of, newest, open_storage, point_of

POINT = Point(("a=1",))


def job(number: int, state: str = "waiting", **more: Any) -> JobRecord:
    return JobRecord(number, POINT, None, state, folder=str(number), index=number, **more)


@pytest.fixture
def storage(tmp_path: Path) -> SweepStorage:
    return open_storage(str(tmp_path / "study.journal"), "s", directions=["minimize"])


def add(storage: SweepStorage, jobs: int = 1, driver: str = "me", **attributes: Any) -> int:
    return storage.add(driver, POINT, map(job, range(jobs)), {}, {}, **attributes)


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
    storage: SweepStorage, states: list[str], state: TrialState, values: Any
) -> None:
    number = add(storage, jobs=3)
    for index, end in enumerate(states):
        values_now = (1.0 + index,) if end == "finished" else None
        storage.write(job(index, end, trial=number, values=values_now))
    trial = storage.trial(number)
    assert trial.state == state
    assert trial.values == values
    assert [job.state for job in jobs_of(trial)] == states


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


def test_another_process_reads_what_this_one_wrote(storage: SweepStorage, tmp_path: Path) -> None:
    number = add(storage)
    program = f"""
        from dataclasses import replace
        from sentexp.sweep.storage import jobs_of, open_storage
        storage = open_storage({str(tmp_path / "study.journal")!r}, "s")
        (job,) = jobs_of(storage.trial({number}))
        storage.write(replace(job, state="finished", values=(3.0,)))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
    assert storage.trial(number).values == [3.0]


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("job/0", {**job(0).to_dict(), "pid": "self", "state": "running"}, "job 0: pid is 'self'"),
        ("job/0", {**job(0).to_dict(), "values": [1.0, 2.0]}, "job 0: 2 values for 1 metrics"),
        ("job/0", {**job(0).to_dict(), "unknown": 1}, "TypeError: .*unknown.*"),
        ("job/0", [], ".*"),
        ("job/x", {}, "ValueError: .*"),
        ("overrides", "a=1", "overrides is 'a=1'"),
        ("overrides", ["a"], "'a' is no override"),
        ("retry_of", [1], r"retry_of is \[1\]"),
    ],
)
def test_a_study_with_other_records_is_refused_in_one_line(
    storage: SweepStorage, attribute: str, value: Any, message: str
) -> None:
    number = add(storage)
    storage.check("me")
    storage.study._storage.set_trial_user_attr(storage.live(number)._trial_id, attribute, value)
    told = rf"^sweep\.study_name=s: damaged \((trial 0: )?{message}\); expected a study as a sweep writes it$"
    with pytest.raises(SentexpError, match=told):
        storage.check("me")


@pytest.mark.parametrize("line", [b"{}", b"[]", b'{"op_code":4', b'{"op_code":99,"worker_id":"x"}', b"\xff", b"nan"])
def test_a_damaged_journal_is_refused_in_one_line(storage: SweepStorage, tmp_path: Path, line: bytes) -> None:
    journal = tmp_path / "copy.journal"
    journal.write_bytes((tmp_path / "study.journal").read_bytes() + line + b"\n")
    told = rf"^sweep\.storage={journal}: damaged \(.*\); expected a journal of Optuna's$"
    with pytest.raises(SentexpError, match=told):
        open_storage(str(journal), "s")


def test_reading_makes_no_file(tmp_path: Path) -> None:
    for address in (str(tmp_path / "sub" / "a.journal"), f"sqlite:///{tmp_path}/b.db"):
        with pytest.raises(SentexpError, match="no such file; expected the study of a sweep"):
            open_storage(address, "s")
    assert list(tmp_path.iterdir()) == []


def test_a_driver_sees_its_own_trials_and_the_newest_of_a_point(storage: SweepStorage) -> None:
    first, again, _ = add(storage), add(storage, retry_of=0), add(storage, driver="other")
    assert [trial.number for trial in storage.trials("me")] == [first, again]
    (left,) = newest(storage.trials("me"))
    assert left.number == again
    assert [trial.number for trial in storage.newest_trials("me")] == [again]
    assert point_of(left) == POINT


def test_after_a_process_was_killed_in_the_middle_of_a_line_others_write_on(
    storage: SweepStorage, tmp_path: Path
) -> None:
    add(storage)
    with (tmp_path / "study.journal").open("a") as file:
        file.write('{"op_code": 4, "half')
    number = add(storage)
    text = (tmp_path / "study.journal").read_text()
    assert "half" not in text
    assert text.endswith("\n")
    assert storage.trial(number).state == TrialState.RUNNING


def test_what_cannot_be_a_storage_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no journal\n")
    for address in (str(tmp_path / "text"), "nosuchdatabase://user:secret@host/x"):
        with pytest.raises(SentexpError, match=r"^sweep\.storage=.*[^\n]$") as error:
            open_storage(address, "s", directions=["minimize"])
        assert "secret" not in str(error.value)


@pytest.mark.parametrize("content", [b"notes", b"two\nlines", b"{}\n", b'{"op": 1}', b"\x00\xff"])
@pytest.mark.parametrize(("scheme", "kind"), [("", "journal of Optuna's"), ("sqlite:///", "database of SQLite's")])
def test_a_file_of_another_kind_is_refused_untouched(tmp_path: Path, content: bytes, scheme: str, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SentexpError, match=rf"/file: a file that is no {kind}; expected one, or a new file$"):
        open_storage(f"{scheme}{path}", "s", directions=["minimize"])
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("content", [b"", b'{"op_code', b'{"op_code":0,"worker'])
def test_a_journal_whose_first_process_was_killed_half_way_goes_on(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert open_storage(str(tmp_path / "file"), "s", directions=["minimize"]).study.trials == []


def test_a_study_of_another_direction_or_none_is_refused(storage: SweepStorage, tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match="its direction is minimize"):
        open_storage(str(tmp_path / "study.journal"), "s", directions=["maximize"])
    with pytest.raises(SentexpError, match="no such study"):
        open_storage(str(tmp_path / "study.journal"), "t")
