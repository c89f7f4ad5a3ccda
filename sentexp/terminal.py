"""Progress bars on a terminal; without a terminal, nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sentexp.machine.torchrun import rank

if TYPE_CHECKING:
    from rich.console import Console

ProgressCallback = Callable[[int, "int | None", str], None]
"""Called with (units done, units in all or None if not known, what is being done)."""


@functools.cache
def console() -> Console:
    from rich.console import Console

    return Console()


@contextmanager
def bar() -> Iterator[ProgressCallback]:
    """Yield a callback that moves one bar per `what`; the bars are gone after the block."""
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    hidden = rank() > 0 or not console().is_terminal
    with Progress(*columns, console=console(), transient=True, disable=hidden) as shown:

        def move(done: int, total: int | None, what: str) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, total=total)

        yield move
