"""The program's output: progress bars on a terminal, and what happens when nobody takes the output any more."""

from __future__ import annotations

import errno
import functools
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sentexp.errors import SentexpError
from sentexp.machine.torchrun import rank

if TYPE_CHECKING:
    from rich.console import Console

ProgressCallback = Callable[[int, "int | None", str], None]
"""Called with (units done, units in all or None if not known, what is being done)."""


class OutputLost(SentexpError):
    """The output is what was asked for, and cannot be written."""

    exit_status = 1


class LastingOutput(io.FileIO):
    """Standard output, or errors, that a program outlives: once it cannot be written, the rest of it is dropped.

    A run or a sweep goes on, for its results lie in files; one line says so. Where the output itself was asked for
    (`goes_on` is False), a reader that has enough, such as `head`, ends the program without a word, and a full device
    with OutputLost.
    """

    def __init__(self, descriptor: int, *, goes_on: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._goes_on = goes_on

    def write(self, content: object) -> int:
        try:
            return super().write(content)  # type: ignore[arg-type]
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # what is still in buffers, and what child processes write
            os.close(nowhere)
            self._tell(error)
            return len(content)  # type: ignore[arg-type]

    def _tell(self, error: OSError) -> None:
        if self._goes_on:
            if self.fileno() == 1:
                print(f"sentexp: output: {error.strerror}; the program goes on, and writes its log", file=sys.stderr)
        elif error.errno == errno.EPIPE:
            raise SystemExit(128 + signal.SIGPIPE)
        else:
            raise OutputLost(f"output: {error.strerror}")


def outlive_output(*, goes_on: bool) -> None:
    """Make standard output and errors of this process LastingOutput, unless something else has replaced them."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: >&-; no other file may get its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
            continue
        if stream is not getattr(sys, f"__{name}__") or stream.fileno() != descriptor:
            continue
        stream.flush()
        raw = LastingOutput(descriptor, goes_on=goes_on or name == "stderr")
        lasting = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, lasting)


class LogFile(logging.FileHandler):
    """A run's log. If it cannot be written, that is told once, and the run goes on."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._told:
            self._told = True
            print(f"sentexp: {self.baseFilename}: {error.strerror}; the program goes on without it", file=sys.stderr)


@functools.cache
def console() -> Console:
    from rich.console import Console

    return Console()


@contextmanager
def status(what: str) -> Iterator[None]:
    """Show on a terminal that the block is at work on `what`, for a block that logs nothing; gone after it."""
    if rank() > 0 or not console().is_terminal:
        yield
        return
    with console().status(f"{what} ..."):
        yield


@contextmanager
def bar() -> Iterator[ProgressCallback]:
    """Yield a callback that moves one bar per `what`; the bars are gone after the block."""
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

    share = TaskProgressColumn(text_format_no_percentage="[progress.percentage]{task.completed:,.0f}")
    columns = (TextColumn("{task.description}"), BarColumn(), share, TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    hidden = rank() > 0 or not console().is_terminal
    with Progress(*columns, console=console(), transient=True, disable=hidden) as shown:

        def move(done: int, total: int | None, what: str) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, total=total)

        yield move
