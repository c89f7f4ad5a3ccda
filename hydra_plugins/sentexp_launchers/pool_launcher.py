"""Jobs side by side on this machine, in processes that stay from one job to the next.

Named after Hydra's launcher of the same purpose; the processes are a pool of Pebble's, which outlives a dead worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import closing
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING, Any, NoReturn

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.sentexp_launchers import _jobs
from sentexp.errors import Terminated
from sentexp.machine.signals import interrupts_ignored

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool


class PoolLauncher(Launcher):
    """`n_jobs` workers, -1 for one a core. They share the cores out among themselves."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._packed: bytes | None = None
        self._pool: ProcessPool | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        _jobs.require("pebble", "joblib", config)
        self.width, self._threads = _jobs.share_cores(self._n_jobs)
        self._shared = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return _jobs.in_order(self.stream(job_overrides, initial_job_idx))

    def stream(
        self, job_overrides: Iterable[Sequence[str]], initial_job_idx: int, at_once: int | None = None
    ) -> Generator[tuple[int, JobReturn], None, None]:
        packed = self._packed = self._packed or _jobs.Sweep.packed(*self._shared)
        pool = self._running_pool()
        if at_once is None:
            at_once = 2 * self.width  # so that a worker finds its next job waiting

        def start(jobs: list[tuple[int, Sequence[str]]]) -> Iterator[ProcessFuture[bytes]]:
            for place, overrides in jobs:
                yield pool.schedule(_run, args=(packed, list(overrides), initial_job_idx + place))

        ended = _jobs.side_by_side(
            job_overrides, at_once, start=start, wait=_ended, end=lambda futures: self._end_pool()
        )
        with closing(ended):
            for place, overrides, future in ended:
                yield place, _collected(future, overrides)

    def _running_pool(self) -> ProcessPool:
        """Kept from one call to the next, so that a guided search imports torch once in each worker."""
        from pebble import ProcessPool

        if self._pool is None or not self._pool.active:
            context = _Context()
            self._pool = ProcessPool(self.width, initializer=_start, initargs=(self._threads,), context=context)
            self._end_pool = weakref.finalize(self, _end, self._pool, context)
            with interrupts_ignored():
                assert self._pool.active  # asking starts it
        return self._pool


class _Context(SpawnContext):
    """Fresh processes: a fork of one with threads can hang. Remembers those that it started."""

    def __init__(self) -> None:
        self.started: list[Any] = []

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        process = SpawnContext.Process(*args, **kwargs)
        self.started = [*(before for before in self.started if before.is_alive()), process]
        return process


def _end(pool: ProcessPool, context: _Context) -> None:
    """All at once: the pool itself would wait for one after the other."""
    pool.stop()
    for process in context.started:
        if process.is_alive():
            process.terminate()
    pool.join()


def _start(threads: dict[str, str]) -> None:
    """Once in each worker, before it imports anything numeric."""
    os.environ.update(threads)
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _end_with_driver() -> None:
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)


def _run(packed: bytes, overrides: Sequence[str], number: int) -> bytes:
    _jobs.end_like_the_driver()
    try:
        return _jobs.run(packed, overrides, number)
    except Terminated as end:  # the pool would take it for the job's result and go on
        os._exit(int(str(end.code)))
    finally:
        signal.signal(signal.SIGTERM, _leave)


def _leave(signal_number: int, _frame: Any) -> NoReturn:
    """Between jobs there is nothing to unwind, but Python lets go of semaphores that it else says were leaked."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _ended(futures: list[ProcessFuture[bytes]]) -> Iterable[ProcessFuture[bytes]]:
    done = wait(futures, return_when=FIRST_COMPLETED).done
    return [future for future in futures if future in done]


def _collected(future: ProcessFuture[bytes], overrides: Sequence[str]) -> JobReturn:
    from pebble import ProcessExpired

    try:
        return _jobs.returned(future.result())
    except ProcessExpired as death:
        return _jobs.failed(overrides, _jobs.JobDied(_how(death.exitcode)))
    except Exception as error:
        return _jobs.failed(overrides, error)


def _how(exitcode: int) -> str:
    if exitcode >= 0:
        return f"its process ended with status {exitcode}"
    name = signal.Signals(-exitcode).name
    return f"its process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
