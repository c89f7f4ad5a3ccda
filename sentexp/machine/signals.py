"""Ctrl-C and SIGTERM: turned into exceptions, delayed during a write, ignored in further processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from sentexp.errors import Terminated

CLUSTERS_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""By which a cluster tells a job that it is to be preempted or has had its time; submitit sets a handler for one."""


def unwind_on_sigterm() -> None:
    """Let SIGTERM raise Terminated in the main thread from now on: it unwinds like Ctrl-C, so the end is recorded."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(128 + number)


class Delayed:
    """The interrupts that `interrupts_later` has put off; true as soon as there is one."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, FrameType | None]] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def begin(self) -> None:
        """Put off interrupts from now on, outside the main thread none."""
        if threading.current_thread() is not threading.main_thread():
            return
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, *CLUSTERS_SIGNALS)}
        self._handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in self._handlers:
            signal.signal(number, self._remember)

    def end(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def not_delayed(self) -> Iterator[None]:
        """Let interrupts take effect at once inside the block, and one that waits before it."""
        self.deliver()
        try:
            yield
        finally:
            self.begin()

    def deliver(self) -> None:
        """Let what was put off take effect now: as a rule it raises KeyboardInterrupt or Terminated."""
        self.end()
        while self._waiting:
            number, frame = self._waiting.pop(0)
            self._handlers[number](number, frame)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.end()
        self._waiting.append((number, frame))


@contextmanager
def interrupts_later() -> Iterator[Delayed]:
    """Delay the first SIGINT, SIGTERM or cluster's signal until the end of the block; a second takes effect at once.

    Half-way through a write it would leave the database's connection in the middle of a transaction, and the run's end
    could not be recorded on it; half-way through a step of a training it would leave weights that belong to no step.
    A block that takes long looks at what it is given, and calls its `deliver` where it can stop. Outside the main
    thread, where Python delivers no signals, nothing changes.
    """
    delayed = Delayed()
    delayed.begin()
    try:
        yield delayed
    except Exception:
        delayed.deliver()  # the caller may let the error pass, and would never hear of the interrupt
        raise
    finally:
        delayed.end()
    delayed.deliver()


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C inside the block, and in processes started there: it is for the first process, which ends them."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's alone
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
