"""Hands jobs to the launcher and settles what has become of them. A launcher's failure costs the jobs that it took."""

from __future__ import annotations

import itertools
import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from optuna.trial import FrozenTrial

from sentexp.sweep.job import one_line, run_name
from sentexp.sweep.progress import SweepProgress, ended_line, tally, watched
from sentexp.sweep.request import SweepRequest
from sentexp.sweep.storage import ENDED, Entry, SweepStorage, entries, newest
from sentexp.sweep.trials import Task, Trials
from sentexp.tracking.interface import Run

log = logging.getLogger(__name__)

Stream = Callable[..., Generator[tuple[int, JobReturn], None, None]]
"""Of a launcher of this project: each job's place and result when it has ended."""


class Launching:
    def __init__(
        self,
        asked: SweepRequest,
        ledger: SweepStorage,
        launcher: Launcher,
        side_by_side: int,
        trials: Trials,
        parent: Run,
    ) -> None:
        self._asked = asked
        self._settings = asked.settings
        self._driver = asked.manifest.id
        self._ledger = ledger
        self._launcher = launcher
        self._trials = trials
        self._parent = parent
        self._first = trials.first
        self._here = isinstance(launcher, BasicLauncher)
        self._side_by_side = side_by_side

    def run(self) -> None:
        if hasattr(self._launcher, "stream"):
            self._stream(self._launcher.stream)
        else:
            for tasks in self._batches():
                if self._stopped():
                    break
                self._launch(tasks)
        now = self._tally()
        if self._stopped() and now.ended < now.total:
            log.info("stopped: sweep.max_failures=%d", self._settings.max_failures)

    def _stream(self, stream: Stream) -> None:
        """A launcher of this project is asked for results one by one, and asks for jobs one by one.

        So a guided search chooses each point from all that is known by then, and no core waits for the slowest of a
        group. A launcher that fails has failed the jobs that it took, and is asked again for the rest.
        """
        tasks = itertools.chain.from_iterable(self._trials.missing())
        first = self._trials.first
        with self._watched():
            while (taken := self._stream_some(stream, tasks, first)) is not None:
                first += taken
        self._parent.end_children("its process ended without a word")

    def _stream_some(self, stream: Stream, tasks: Iterator[Task], first: int) -> int | None:
        """Until all jobs have ended, or the launcher fails: then it gives how many it took.

        Raises what the launcher does if it took none, and what the sampler does once the jobs that run have ended.
        """
        taken: list[Task] = []
        errors: list[Exception] = []

        def overrides() -> Iterator[list[str]]:
            try:
                while not self._stopped() and (task := next(tasks, None)) is not None:
                    taken.append(task)
                    yield task.overrides
            except Exception as raised:  # no fault of the jobs that run
                errors.append(raised)

        settled: set[int] = set()
        failure: Exception | None = None
        with self._interruptible(taken), closing(stream(overrides(), first, self._at_once())) as ended:
            while True:
                try:
                    place, returned = next(ended)
                except StopIteration:
                    break
                except Exception as raised:
                    failure = raised
                    break
                self._settle(taken[place], returned)
                settled.add(place)
            for place, task in enumerate(taken):
                if place not in settled:
                    self._settle(task, None, failure)
        if errors:
            raise errors[0]
        if failure is None:
            return None
        if not taken:
            raise failure
        log.warning("the launcher failed: %s", one_line(failure))
        return len(taken)

    def _at_once(self) -> int | None:
        return (self._settings.n_jobs or self._side_by_side) if self._settings.guided else None

    def _batches(self) -> Iterator[list[Task]]:
        """One job at a time where they run in this process: each is settled before the next, and none is kept.

        Of another launcher all that is known is that it takes a list: a grid is launched in one go, and a guided search
        asks for as many points as run side by side.
        """
        missing = self._trials.missing()
        if self._here:
            yield from ([task] for tasks in missing for task in tasks)
        else:
            while some := list(itertools.chain.from_iterable(itertools.islice(missing, self._at_once()))):
                yield some

    def _launch(self, tasks: list[Task]) -> None:
        if self._here:
            self._announce(tasks[0])
        error: Exception | None = None
        returns: Sequence[JobReturn | None] = [None] * len(tasks)
        with nullcontext() if self._here else self._watched(), self._interruptible(tasks):
            try:
                returns = self._launcher.launch([task.overrides for task in tasks], initial_job_idx=tasks[0].number)
            except Exception as raised:
                error = raised
            for task, returned in zip(tasks, returns, strict=True):
                self._settle(task, returned, error)
        if not self._here:
            self._parent.end_children("its process ended without a word")

    def _watched(self) -> AbstractContextManager[None]:
        return watched(self._tally, self._newest, self._side_by_side)

    @contextmanager
    def _interruptible(self, tasks: list[Task]) -> Iterator[None]:
        """What runs when the sweep is interrupted, or fails itself, waits for a resume."""
        try:
            yield
        except BaseException:
            for task in tasks:
                entry = entries(self._ledger.trial(task.trial))[task.index]
                if entry["state"] == "running":
                    self._ledger.write(task.trial, task.index, entry | {"state": "waiting", "error": "interrupted"})
            raise

    def _settle(self, task: Task, returned: JobReturn | None, error: Exception | None = None) -> None:
        """Writes the end of a job that could not, and sees to it that a failure shows in its recorded run."""
        entry = entries(self._ledger.trial(task.trial))[task.index]
        if returned is not None and returned.status == JobStatus.FAILED:
            error = returned._return_value
        if entry["state"] not in ENDED and (entry["state"] == "running" or error is not None):
            why = one_line(error) if error is not None else "its process ended without a word"
            entry = entry | {"state": "failed", "error": why}
            self._ledger.write(task.trial, task.index, entry)
            self._write_log(entry, error)
        if entry["state"] == "failed":
            if entry.get("run_id") is not None:
                self._parent.end_child(entry["run_id"], entry["error"])
            else:  # it did not get as far as that
                self._parent.add_failed_child(run_name(task.point, entry), entry["error"])
        if self._here and entry["state"] in ("failed", "pruned"):
            log.info(ended_line(task.point, entry))

    def _write_log(self, entry: Entry, error: Exception | None) -> None:
        """What the job itself would have written, had it lived to."""
        path = self._asked.folder / entry["folder"] / f"{self._asked.config.hydra.job.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)) if error is not None else f"{entry['error']}\n")

    def _announce(self, task: Task) -> None:
        now = self._tally()
        words = [f"[{now.ended + 1}/{now.total}]", f"job {task.number}", *task.point]
        words += [part for part in (now.best_so_far(), now.time_left(1)) if part]
        log.info("")
        log.info("  ".join(words))

    def _tally(self) -> SweepProgress:
        return tally(self._newest(), self._trials.total, self._settings.directions[0], self._first)

    def _newest(self) -> list[FrozenTrial]:
        return newest(self._ledger.trials(self._driver))

    def _stopped(self) -> bool:
        most = self._settings.max_failures
        return most is not None and self._tally().failed >= most
