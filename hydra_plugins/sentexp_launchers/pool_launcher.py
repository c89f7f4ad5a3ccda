"""Runs jobs side by side on this machine, in processes that stay from one job to the next."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, NoReturn

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.sentexp_launchers.extras import require
from sentexp.errors import CannotStart, Terminated
from sentexp.machine.cores import share_cores
from sentexp.machine.signals import unwind_on_sigterm
from sentexp.machine.workers import Task, Workers
from sentexp.sweep import worker
from sentexp.sweep.side_by_side import in_order, side_by_side


class PoolLauncher(Launcher):
    """Runs jobs in `n_jobs` workers, -1 for one per core. Each keeps to its share of the cores."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._packed: bytes | None = None
        self._workers: Workers | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        require("cloudpickle", "pool", config)
        self.width, self._threads = share_cores(self._n_jobs)
        self._shared = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return in_order(self.stream(enumerate(job_overrides, initial_job_idx)))

    def stream(
        self, jobs: Iterable[tuple[int, Sequence[str]]], at_once: int | None = None
    ) -> Generator[tuple[int, JobReturn], None, None]:
        packed = self._packed = self._packed or worker.Sweep.packed(*self._shared)
        workers = self._running()
        if at_once is None:
            at_once = 2 * self.width  # so that a worker finds its next job waiting

        def start(some: list[tuple[int, Sequence[str]]]) -> Iterator[Task]:
            for number, overrides in some:
                yield workers.submit(packed, list(overrides), number)

        def wait(_: list[Task]) -> list[Task]:
            try:
                return workers.wait_for_some()
            except CannotStart as error:
                name = self._shared[2].hydra.runtime.choices["hydra/launcher"]
                raise CannotStart(f"hydra/launcher={name}: {error}") from error

        ended = side_by_side(jobs, at_once, start=start, wait=wait, end=lambda _: workers.end())
        with closing(ended):
            for number, overrides, task in ended:
                yield number, _collected(task, overrides)

    def _running(self) -> Workers:
        """Return the workers. They are kept from one call to the next, so that each imports torch once."""
        if self._workers is None:
            self._workers = Workers(self.width, _prepare, (self._threads,), _run)
            # when the launcher goes; at exit before Python itself waits for the processes
            atexit.register(weakref.finalize(self, self._workers.end))
        return self._workers


def _prepare(threads: dict[str, str]) -> None:
    """Prepare a worker, before it imports anything numeric."""
    os.environ.update(threads)
    signal.signal(signal.SIGTERM, _leave)


def _run(packed: bytes, overrides: Sequence[str], number: int) -> bytes:
    unwind_on_sigterm()
    try:
        return worker.run(packed, overrides, number)
    except Terminated as end:  # at once: threads that the job has left would delay Python's own end
        os._exit(int(str(end.code)))
    finally:
        signal.signal(signal.SIGTERM, _leave)


def _leave(signal_number: int, _frame: Any) -> NoReturn:
    """Exit between jobs, in Python's own way: it would otherwise report leaked semaphores."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _collected(task: Task, overrides: Sequence[str]) -> JobReturn:
    if task.outcome is None:
        return worker.failed(overrides, worker.JobDied(f"its process {task.death}"))
    return worker.returned(task.outcome)
