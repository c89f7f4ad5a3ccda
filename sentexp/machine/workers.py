"""Processes that stay from one task to the next, each with a pipe of its own.

If one dies, only the task that it was working on is lost. Nothing waits for a process that is no more: a task goes only
to a process that has said that it waits for one, and the end of a process is noticed whatever it has left running.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import IO, Any

from sentexp.errors import CannotStart, one_line
from sentexp.machine.children import end_with_parent, how_it_ended
from sentexp.machine.signals import interrupts_ignored

DEATHS = 4
"""Processes beyond the number of workers that may end in a row before any of them takes a task."""

GRACE_SECONDS = 30.0
"""Time for processes that are told to end, so that their tasks can record it."""

POLL_SECONDS = 0.02

LONGEST_LAST_LINE = 4096
"""Bytes of a process's errors, which may be gigabytes, that are read to say why it ended."""

READY, TAKEN = "ready", "taken"


@dataclass(eq=False)
class Task:
    """A task and, once it has ended, either of its two ends."""

    arguments: tuple[Any, ...]
    outcome: bytes | None = None
    """What the work returned."""
    death: str | None = None
    """How its process ended, in words."""


@dataclass(eq=False)
class _Worker:
    process: Any
    connection: Connection
    errors: IO[bytes]
    """What the process writes to its error stream."""
    is_ready: bool = False
    task: Task | None = None
    has_taken: bool = False
    """True if it has confirmed that it received the task."""
    has_ended: bool = False
    """True if the end of its pipe was read."""


class Workers:
    """Up to `width` processes that call `work` with the arguments of each task.

    Each calls `prepare(*arguments)` first. The work returns bytes, and raises nothing: that would be its process's end.
    """

    def __init__(
        self, width: int, prepare: Callable[..., object], arguments: tuple[Any, ...], work: Callable[..., bytes]
    ) -> None:
        self._width = width
        self._called = (prepare, arguments, work)
        self._context = get_context("spawn")  # a fork of a process with threads (torch has some) can hang
        self._workers: list[_Worker] = []
        self._waiting: deque[Task] = deque()
        self._deaths = 0
        self._trouble: CannotStart | None = None
        """Why no further processes are started, unless one that runs takes another task."""

    def submit(self, *arguments: Any) -> Task:
        """Add a task. It begins inside of `wait_for_some`, or before if a process waits for one."""
        task = Task(arguments)
        self._waiting.append(task)
        self._hand_out()
        return task

    def wait_for_some(self) -> list[Task]:
        """Return tasks that have ended, at least one of those submitted and not yet returned.

        Raises CannotStart if processes end before they take any task.
        """
        assert self._waiting or any(worker.task is not None for worker in self._workers), "no task to wait for"
        while True:
            self._hand_out()
            if self._trouble is not None and not self._workers:
                raise self._trouble
            ended = self._heard()
            if ended:
                self._hand_out()
                return ended

    def end(self) -> None:
        """End all processes, and forget the tasks."""
        self._waiting.clear()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.terminate()
        until = time.monotonic() + GRACE_SECONDS
        # not by their sentinels, which a child that a task has forked holds open
        while time.monotonic() < until and any(worker.process.is_alive() for worker in workers):
            time.sleep(POLL_SECONDS)
        for worker in workers:
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
            worker.errors.close()

    def _hand_out(self) -> None:
        """Start as many processes as have something to do, and give tasks to those that wait for one."""
        busy = sum(worker.task is not None for worker in self._workers)
        while self._trouble is None and len(self._workers) < min(self._width, busy + len(self._waiting)):
            self._workers.append(self._start())
        for worker in self._workers:
            if self._waiting and worker.is_ready and worker.task is None:
                task = self._waiting[0]
                try:
                    worker.connection.send(task.arguments)
                except OSError:  # it has ended, as `_heard` will hear
                    worker.is_ready = False
                    continue
                worker.task, worker.has_taken = self._waiting.popleft(), False

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        process = self._context.Process(target=_serve, args=(theirs, *self._called))
        resource_tracker.ensure_running()  # else it would have its errors there too
        with interrupts_ignored(), _errors_to(errors):
            process.start()
        theirs.close()
        return _Worker(process, ours, errors)

    def _heard(self) -> list[Task]:
        """Wait until processes say something or end. Return the tasks that have ended."""
        by_place: dict[Any, _Worker] = {}
        for worker in self._workers:
            by_place |= {worker.connection: worker, worker.process.sentinel: worker}
        ended: list[Task] = []
        heard = wait(list(by_place))
        for worker in dict.fromkeys(by_place[place] for place in heard):
            ended += self._listen(worker)
            if worker.has_ended or worker.process.sentinel in heard:
                ended += self._bury(worker)
        return ended

    def _listen(self, worker: _Worker) -> Iterator[Task]:
        try:
            while worker.connection.poll():
                message = worker.connection.recv()
                if message == READY:
                    worker.is_ready = True
                elif message == TAKEN:
                    worker.has_taken = True
                    self._deaths, self._trouble = 0, None
                else:
                    assert worker.task is not None
                    worker.task.outcome = message
                    yield worker.task
                    worker.task = None
        except (EOFError, OSError):
            worker.has_ended = True

    def _bury(self, worker: _Worker) -> Iterator[Task]:
        """Take a process that has ended out. Its task ended with it, or waits again if it had not taken it yet."""
        worker.process.join()
        self._workers.remove(worker)
        worker.connection.close()
        how = how_it_ended(worker.process.exitcode)
        with worker.errors:
            if worker.task is not None and worker.has_taken:
                worker.task.death = how
                yield worker.task
                return
            if worker.task is not None:
                self._waiting.appendleft(worker.task)
            self._deaths += 1
            if self._deaths >= self._width + DEATHS:
                said = _last_line(worker.errors)
                self._trouble = CannotStart(
                    f"{self._deaths} processes in a row ended before they took a job, the last one {how}{said}"
                )


def _serve(
    connection: Connection, prepare: Callable[..., object], arguments: tuple[Any, ...], work: Callable[..., bytes]
) -> None:
    """Work on one task after the other, until the pipe or the process is closed."""
    end_with_parent()
    # a child that a task leaves behind must not hold the pipe open, whether it is a program or a copy of this one
    os.set_inheritable(connection.fileno(), False)
    os.register_at_fork(after_in_child=connection.close)
    prepare(*arguments)
    connection.send(READY)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(TAKEN)
        connection.send(work(*task))


@contextmanager
def _errors_to(file: IO[bytes]) -> Iterator[None]:
    """Let a process that is started in the block write its errors to a file."""
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _last_line(file: IO[bytes]) -> str:
    """Return `: ` and the last line of a file, or "" if there is none."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LAST_LINE))
    lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return f": {one_line(CannotStart(lines[-1]))}" if lines else ""
