"""Runs jobs side by side on this machine, in processes that stay from one job to the next.

They are a pool of the library Pebble, which replaces a worker that dies.
"""

from __future__ import annotations

import os
import signal
import sys
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.sentexp_launchers.extras import require
from sentexp.errors import Terminated
from sentexp.machine.children import RememberingContext, end_with_parent, how_it_ended
from sentexp.machine.cores import share_cores
from sentexp.machine.signals import interrupts_ignored, unwind_on_sigterm
from sentexp.sweep import worker
from sentexp.sweep.side_by_side import in_order, side_by_side

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool


class PoolLauncher(Launcher):
    """Runs jobs in `n_jobs` workers, -1 for one per core. Each keeps to its share of the cores."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._packed: bytes | None = None
        self._pool: ProcessPool | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        require("pebble", "pool", config)
        self.width, self._threads = share_cores(self._n_jobs)
        self._shared = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return in_order(self.stream(job_overrides, initial_job_idx))

    def stream(
        self, job_overrides: Iterable[Sequence[str]], initial_job_idx: int, at_once: int | None = None
    ) -> Generator[tuple[int, JobReturn], None, None]:
        packed = self._packed = self._packed or worker.Sweep.packed(*self._shared)
        pool = self._running_pool()
        if at_once is None:
            at_once = 2 * self.width  # so that a worker finds its next job waiting

        def start(jobs: list[tuple[int, Sequence[str]]]) -> Iterator[ProcessFuture[bytes]]:
            for place, overrides in jobs:
                yield pool.schedule(_run, args=(packed, list(overrides), initial_job_idx + place))

        ended = side_by_side(job_overrides, at_once, start=start, wait=_ended, end=lambda futures: self._end_pool())
        with closing(ended):
            for place, overrides, future in ended:
                yield place, _collected(future, overrides)

    def _running_pool(self) -> ProcessPool:
        """Return the pool. It is kept from one call to the next, so that each worker imports torch once."""
        from pebble import ProcessPool

        if self._pool is None or not self._pool.active:
            context = RememberingContext()
            self._pool = ProcessPool(self.width, initializer=_start, initargs=(self._threads,), context=context)
            self._end_pool = weakref.finalize(self, _end, self._pool, context)
            with interrupts_ignored():
                assert self._pool.active  # starts it
        return self._pool


def _end(pool: ProcessPool, context: RememberingContext) -> None:
    """End all workers at once; the pool itself would wait for one after the other."""
    pool.stop()
    context.terminate()
    pool.join()


def _start(threads: dict[str, str]) -> None:
    """Prepare a worker, before it imports anything numeric."""
    os.environ.update(threads)
    end_with_parent()


def _run(packed: bytes, overrides: Sequence[str], number: int) -> bytes:
    unwind_on_sigterm()
    try:
        return worker.run(packed, overrides, number)
    except Terminated as end:  # the pool would take it for the job's result and go on
        os._exit(int(str(end.code)))
    finally:
        signal.signal(signal.SIGTERM, _leave)


def _leave(signal_number: int, _frame: Any) -> NoReturn:
    """Exit between jobs, in Python's own way: it would otherwise report leaked semaphores."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _ended(futures: list[ProcessFuture[bytes]]) -> Iterable[ProcessFuture[bytes]]:
    done = wait(futures, return_when=FIRST_COMPLETED).done
    return [future for future in futures if future in done]


def _collected(future: ProcessFuture[bytes], overrides: Sequence[str]) -> JobReturn:
    from pebble import ProcessExpired

    try:
        return worker.returned(future.result())
    except ProcessExpired as death:
        return worker.failed(overrides, worker.JobDied(f"its process {how_it_ended(death.exitcode)}"))
    except Exception as error:
        return worker.failed(overrides, error)
