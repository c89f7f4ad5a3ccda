from __future__ import annotations

import os
import re
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sentexp.errors import CannotStart
from sentexp.machine.workers import DEATHS, Workers, _last_line

WORKING = """
import os, signal, sys, time
from pathlib import Path

FOLDER = Path(__file__).parent
LEFT_SECONDS = 20

def started():
    (FOLDER / f"{os.getpid()}.start").touch()
    return len(list(FOLDER.glob("*.start")))

def nothing(): started()

def dies():
    started()
    print("no library\\nfor this", file=sys.stderr)
    os._exit(3)

def raises():
    started()
    raise ImportError("no such library")

def dies_twice():
    if started() <= 2:
        os.kill(os.getpid(), signal.SIGKILL)

def work(what, more=b""):
    if what == "exit":
        os._exit(4)
    if what == "wait":
        while len(list(FOLDER.glob("*.start"))) < 3:
            time.sleep(0.05)
    if what == "fork" and os.fork() == 0:
        time.sleep(600)
    if what == "leave a program":
        os.system(f"exec sleep {LEFT_SECONDS} > {FOLDER}/sleep.out 2>&1 & echo $! > {FOLDER}/sleep.pid")
        os._exit(4)
    if what == "die for good":  # and no other starts
        (FOLDER / "broken").touch()
        os._exit(4)
    return f"{what} {len(more)} {os.getpid()}".encode()

def dies_once_broken():
    started()
    if (FOLDER / "broken").exists():
        os._exit(3)
"""


@pytest.fixture
def working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "working.py").write_text(WORKING)
    monkeypatch.syspath_prepend(tmp_path)
    import working  # type: ignore[import-not-found]

    yield working
    del sys.modules["working"]


@pytest.fixture
def workers(working: ModuleType) -> Iterator[Callable[[int, str], Workers]]:
    made: list[Workers] = []

    def make(width: int, prepare: str) -> Workers:
        made.append(Workers(width, getattr(working, prepare), (), working.work))
        return made[-1]

    yield make
    for some in made:
        some.end()


def outcomes(workers: Workers, *tasks: str) -> list[str]:
    """Return what became of each task: its outcome without the process, or how its process ended."""
    submitted = [workers.submit(task) for task in tasks]
    ended: list[object] = []
    while len(ended) < len(tasks):
        ended += workers.wait_for_some()
    return [task.death or " ".join(str(task.outcome, "utf-8").split()[:-1]) for task in submitted]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("dies", "the last one ended with status 3: for this"),
        ("raises", "the last one ended with status 1: ImportError: no such library"),
    ],
)
def test_processes_that_end_at_their_start_are_given_up_in_one_line(workers, working, prepare, said) -> None:
    with pytest.raises(CannotStart) as error:
        outcomes(workers(2, prepare), "a", "b", "c")
    count = 2 + DEATHS  # and perhaps one that ended at the same moment
    assert re.fullmatch(
        rf"[{count}-{count + 1}] processes in a row ended before they took a job, {said}", str(error.value)
    )
    assert count <= len(list(working.FOLDER.glob("*.start"))) <= count + 2


def test_a_process_that_ends_before_it_takes_a_task_costs_none(workers) -> None:
    assert outcomes(workers(1, "dies_twice"), "a", "b") == ["a 0", "b 0"]


def test_a_task_costs_itself_alone(workers) -> None:
    assert outcomes(workers(2, "nothing"), "a", "exit", "b", "exit", "c") == [
        "a 0", "ended with status 4", "b 0", "ended with status 4", "c 0",
    ]  # fmt: skip


def test_tasks_that_run_go_on_while_no_other_process_starts(workers, working) -> None:
    some = workers(1, "dies_once_broken")
    first, second = some.submit("die for good"), some.submit("never")
    assert some.wait_for_some() == [first]
    assert first.death == "ended with status 4"
    with pytest.raises(CannotStart, match=f"^{1 + DEATHS} processes in a row"):
        some.wait_for_some()
    assert (second.outcome, second.death) == (None, None)


def test_a_process_that_is_killed_while_it_waits_costs_no_task_and_holds_up_no_write(workers) -> None:
    some = workers(1, "nothing")
    for task in ("a", "fork", "c"):  # the child that one leaves behind does not hold the pipe open
        first = some.submit(task)
        assert some.wait_for_some() == [first]
        pid = int(str(first.outcome, "utf-8").split()[-1])  # type: ignore[arg-type]
        os.kill(pid, signal.SIGKILL)
        second = some.submit("big", b"x" * 10_000_000)
        assert some.wait_for_some() == [second]
        assert str(second.outcome, "utf-8").startswith("big 10000000 ")  # type: ignore[arg-type]


def test_a_program_that_a_dead_process_leaves_behind_is_not_waited_for(workers, working) -> None:
    some = workers(1, "nothing")
    some.submit("a")
    some.wait_for_some()  # it has started
    began = time.monotonic()
    task = some.submit("leave a program")
    try:
        assert some.wait_for_some() == [task]
        assert task.death == "ended with status 4"
        assert time.monotonic() - began < working.LEFT_SECONDS / 2
    finally:
        os.kill(int((working.FOLDER / "sleep.pid").read_text()), signal.SIGKILL)


def test_to_wait_for_no_task_is_a_mistake_and_no_wait_without_end(workers) -> None:
    some = workers(1, "nothing")
    with pytest.raises(AssertionError, match="no task to wait for"):
        some.wait_for_some()
    some.submit("a")
    some.wait_for_some()
    with pytest.raises(AssertionError, match="no task to wait for"):
        some.wait_for_some()


def test_of_many_errors_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "errors"
    path.write_bytes(b"one more line\n" * 1_000_000 + "no such library é\n\n".encode())
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            assert _last_line(file) == ": no such library é"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # bytes; the file has 14 million
    finally:
        tracemalloc.stop()
