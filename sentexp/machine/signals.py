"""Ctrl-C and SIGTERM: turned into exceptions, delayed during a write, ignored in further processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sentexp.errors import Terminated


def unwind_on_sigterm() -> None:
    """Let SIGTERM raise Terminated in the main thread from now on: it unwinds like Ctrl-C, so the end is recorded."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(128 + number)


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Delay the first SIGINT or SIGTERM until the end of the block; a second one takes effect at once.

    Half-way through a write it would leave the database's connection in the middle of a transaction, and the run's end
    could not be recorded on it. Outside the main thread, where Python delivers no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []

    def remember(number: int, frame: FrameType | None) -> None:
        restore()
        waiting.append((number, frame))

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number in numbers if callable(handlers[number])]

    def restore() -> None:
        for number in taken:
            signal.signal(number, handlers[number])

    for number in taken:
        signal.signal(number, remember)
    try:
        yield
    finally:
        restore()
    for caught, frame in waiting:
        handlers[caught](caught, frame)  # type: ignore[operator, misc, index]


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
