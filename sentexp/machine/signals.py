"""Ctrl-C and SIGTERM: as exceptions that unwind, held back at wrong moments, kept from wrong processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sentexp.errors import Terminated


def unwind_on_sigterm() -> None:
    """From now on, SIGTERM raises Terminated in the main thread: it unwinds like Ctrl-C, so that ends are recorded."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(128 + number)


@contextmanager
def interrupts_later() -> Iterator[None]:
    """The first interrupt inside takes effect after the block, a second one at once.

    Half-way through a write it would leave the database's connection in the middle of a transaction, and the run's end
    could not be recorded on it. Outside the main thread, where Python delivers no signals, nothing is changed.
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
    """Inherited by processes that start inside: Ctrl-C is for the first process, which ends the others."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's alone
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
