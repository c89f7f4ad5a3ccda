"""Hands the jobs of a sweep to the launcher and collects their results."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from optuna.trial import FrozenTrial

from sentexp.errors import CannotStart, one_line
from sentexp.private_interfaces import runs_in_this_process
from sentexp.sweep.final_states import NO_RESULT, FinalStates
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.live_display import live_display
from sentexp.sweep.point import short_override
from sentexp.sweep.progress import SweepProgress, ended_line
from sentexp.sweep.request import SweepRequest
from sentexp.sweep.storage import SweepStorage
from sentexp.sweep.trial_queue import TrialQueue
from sentexp.sweep.worker import PackedReturn
from sentexp.tracking.interface import Run

log = logging.getLogger(__name__)

Stream = Callable[..., Generator[tuple[int, JobReturn], None, None]]
"""The method `stream` of this project's launchers: yields each job's number and result when it has ended."""


class Dispatcher:
    """Runs all jobs of a queue on a launcher, `side_by_side` at a time.

    If the launcher fails, the jobs that it had taken have failed.
    """

    def __init__(
        self,
        request: SweepRequest,
        storage: SweepStorage,
        launcher: Launcher,
        side_by_side: int,
        queue: TrialQueue,
        parent: Run,
    ) -> None:
        self._settings = request.settings
        self._driver = request.manifest.id
        self._storage = storage
        self._launcher = launcher
        self._side_by_side = side_by_side
        self._queue = queue
        self._parent = parent
        self._final_states = FinalStates(request, storage, parent)
        self._runs_here = runs_in_this_process(launcher)
        self._returns: dict[int, JobReturn] = {}

    def run(self) -> list[JobReturn]:
        """Run the jobs until none is left or sweep.max_failures of them have failed.

        Return what the launcher returned for those that it ran, in the order of their numbers.
        """
        if hasattr(self._launcher, "stream"):
            self._stream(self._launcher.stream)
        else:
            for jobs in self._batches():
                if self._stopped():
                    break
                self._launch(jobs)
        now = self._progress()
        if self._stopped() and now.ended < now.total:
            log.info("stopped: sweep.max_failures=%d", self._settings.max_failures)
        return [returned for _, returned in sorted(self._returns.items())]

    def _stream(self, stream: Stream) -> None:
        """Run the jobs on a launcher of this project, which takes jobs and gives results one by one.

        So a search chooses each point from all results known by then, and no core waits for the slowest job of a batch.
        A launcher that fails is called again with the jobs that it had not taken.
        """
        jobs = itertools.chain.from_iterable(self._queue.missing())
        with self._display():
            while self._stream_some(stream, jobs):
                pass
        self._parent.end_children(NO_RESULT)

    def _stream_some(self, stream: Stream, jobs: Iterator[JobRecord]) -> bool:
        """Run jobs until all have ended, or until the launcher fails: then return True, for others may be left.

        Raises the launcher's error if it took no job or can start none, and the sampler's error once the jobs that run
        have ended.
        """
        taken: dict[int, JobRecord] = {}
        errors: list[Exception] = []

        def coming() -> Iterator[tuple[int, list[str]]]:
            try:
                while not self._stopped() and (job := next(jobs, None)) is not None:
                    taken[job.number] = job
                    yield job.number, self._queue.overrides_of(job)
            except Exception as raised:  # no fault of the jobs that run
                errors.append(raised)

        settled: set[int] = set()
        failure: Exception | None = None
        with (
            self._final_states.interruptible(taken.values()),
            closing(stream(coming(), self._at_once())) as ended,
        ):
            while True:
                try:
                    number, returned = next(ended)
                except StopIteration:
                    break
                except CannotStart:  # no fault of the jobs that it had taken
                    raise
                except Exception as raised:
                    failure = raised
                    break
                self._final_states.settle(taken[number], returned)
                self._keep(taken[number], returned)
                settled.add(number)
            for number, job in taken.items():
                if number not in settled:
                    self._final_states.settle(job, None, failure)
        if errors:
            raise errors[0]
        if failure is None:
            return False
        if not taken:
            raise failure
        log.warning("the launcher failed: %s", one_line(failure))
        return True

    def _at_once(self) -> int | None:
        """Return how many jobs a search runs at a time; None for a grid: as many as the launcher takes."""
        return (self._settings.n_jobs or self._side_by_side) if self._settings.is_search else None

    def _batches(self) -> Iterator[list[JobRecord]]:
        """Split the missing jobs for a launcher that takes lists.

        Where jobs run in this process, a batch is one job: its end is settled before the next begins. Otherwise a grid
        is one batch, and a search has as many points per batch as run side by side.
        """
        missing = self._queue.missing()
        if self._runs_here:
            yield from ([job] for jobs in missing for job in jobs)
        else:
            while batch := list(itertools.chain.from_iterable(itertools.islice(missing, self._at_once()))):
                # Hydra's launchers count on from the first job's number, and a job that was interrupted has its old one
                by_run = itertools.groupby(enumerate(batch), key=lambda one: one[1].number - one[0])
                yield from ([job for _, job in jobs] for _, jobs in by_run)

    def _launch(self, jobs: list[JobRecord]) -> None:
        if self._runs_here:
            self._announce(jobs[0])
        error: Exception | None = None
        returns: Sequence[JobReturn | None] = [None] * len(jobs)
        with nullcontext() if self._runs_here else self._display(), self._final_states.interruptible(jobs):
            try:
                overrides = [self._queue.overrides_of(job) for job in jobs]
                returns = self._launcher.launch(overrides, initial_job_idx=jobs[0].number)
            except Exception as raised:
                error = raised
            for job, returned in zip(jobs, returns, strict=True):
                now = self._final_states.settle(job, returned, error)
                self._keep(job, returned)
                if self._runs_here and now.state in ("failed", "pruned"):
                    log.info(ended_line(now))
        if not self._runs_here:
            self._parent.end_children(NO_RESULT)

    def _keep(self, job: JobRecord, returned: JobReturn | None) -> None:
        if returned is not None:
            self._returns[job.number] = PackedReturn.of(returned)

    def _display(self) -> AbstractContextManager[None]:
        return live_display(self._progress, self._newest_trials, self._side_by_side)

    def _announce(self, job: JobRecord) -> None:
        now = self._progress()
        parts = [f"[{now.ended + 1}/{now.total}]", f"job {job.number}", *map(short_override, job.point.overrides)]
        parts += [part for part in (now.best_so_far(), now.time_left(1)) if part]
        log.info("")
        log.info("  ".join(parts))

    def _progress(self) -> SweepProgress:
        return SweepProgress.of(
            self._newest_trials(), self._queue.total, self._settings.directions[0], self._queue.first
        )

    def _newest_trials(self) -> list[FrozenTrial]:
        return self._storage.newest_trials(self._driver)

    def _stopped(self) -> bool:
        most = self._settings.max_failures
        return most is not None and self._progress().failed >= most
