"""Keeps a number of jobs running at the same time, whatever runs them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TypeVar

from hydra.core.utils import JobReturn

log = logging.getLogger(__name__)

Handle = TypeVar("Handle")
"""What a launcher identifies a started job by, such as a future."""


def side_by_side(
    jobs: Iterable[tuple[int, Sequence[str]]],
    at_once: int | None,
    *,
    start: Callable[[list[tuple[int, Sequence[str]]]], Iterable[Handle]],
    wait: Callable[[list[Handle]], Iterable[Handle]],
    end: Callable[[list[Handle]], None],
) -> Generator[tuple[int, Sequence[str], Handle], None, None]:
    """Yield the number, overrides and handle of each job when it has ended.

    The next one is taken from `jobs`, its number and its overrides, when fewer than `at_once` are running (None: any
    number).

    - `start(some)` starts jobs, given in the same way, and returns one handle per job
    - `wait(handles)` returns those of the running jobs, at least one, that have ended
    - `end(handles)` ends the running jobs; called when anything goes wrong: Ctrl-C, SIGTERM, or a caller that stops
    """
    coming = iter(jobs)
    running: dict[Handle, tuple[int, Sequence[str]]] = {}
    try:
        while True:
            batch = list(itertools.islice(coming, None if at_once is None else at_once - len(running)))
            if batch:
                for handle, job in zip(start(batch), batch, strict=True):
                    running[handle] = job
            if not running:
                return
            for handle in wait(list(running)):
                yield *running.pop(handle), handle
    except BaseException:
        try:
            end(list(running))
        except Exception as error:  # must not hide what went wrong
            log.warning("could not end the jobs that run: %s", error)
        raise


def in_order(ended: Iterable[tuple[int, JobReturn]]) -> list[JobReturn]:
    """Return the results in the order of the jobs, as Hydra expects them of a launcher."""
    return [result for _, result in sorted(ended, key=lambda one: one[0])]
