"""How a run reports to its sweep, inside the process that runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sentexp.errors import Pruned
from sentexp.sweep.job_record import JobRecord
from sentexp.tracking.interface import Location

if TYPE_CHECKING:
    from sentexp.sweep.storage import SweepStorage

_current: JobReporter | None = None


def current() -> JobReporter | None:
    """Return the reporter of the sweep job that runs in this process, or None outside a sweep."""
    return _current


class JobReporter:
    """Stores what a job reports while it runs, and prunes it.

    `pruned_by` is the metric of sweep.metric that pruning goes by; None prunes nothing. With several seeds, the first
    seed of a point is compared with other points, and the others are pruned if the first was.
    """

    def __init__(self, storage: SweepStorage, job: JobRecord, pruned_by: str | None) -> None:
        assert job.trial is not None
        self._storage = storage
        self._trial = job.trial
        self._job = job
        # the metric of each epoch that the final one is chosen from
        self._watched = None if pruned_by is None else f"valid/{'loss' if pruned_by.endswith('loss') else 'accuracy'}"
        self._start = time.perf_counter()
        self._history: list[dict[str, float]] = []
        self.metrics: dict[str, float] = {}
        """What `finish` was given."""
        self._transductive = False
        self.pruned = False

    @property
    def name(self) -> str:
        """Name of the recorded run."""
        return self._job.run_name

    def begin(self, location: Location | None) -> None:
        """Store where the run is recorded."""
        if location is not None:
            self.update(run_id=location.run_id, page=location.page)

    def epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Report the metrics of an epoch, counted from 1. Raises Pruned if the pruner stops the run."""
        self._history.append(dict(metrics))
        if self._watched is None:
            return
        if self._job.index == 0:
            trial = self._storage.live(self._trial)
            trial.report(metrics[self._watched], epoch)
            self.pruned = trial.should_prune()
        else:
            self.pruned = self.first_seed_was_pruned()
        if self.pruned:
            raise Pruned(epoch)

    def finish(self, metrics: Mapping[str, float], *, transductive: bool = False) -> None:
        """Report all metrics of the run, by which it is compared with others, and whether the others must be as well
        `transductive` for that; see `sentexp.books`."""
        self.metrics = dict(metrics)
        self._transductive = transductive

    def first_seed_was_pruned(self) -> bool:
        if self._watched is None or self._job.index == 0:
            return False
        return self._storage.job(self._trial, 0).state == "pruned"

    def update(self, **changes: Any) -> None:
        """Store the record with some fields changed."""
        self._job = replace(self._job, **changes)
        self._storage.write(self._job)

    def end(self, state: str, **changes: Any) -> None:
        """Store the end of the job, with all that it reported."""
        seconds = time.perf_counter() - self._start
        found = {"metrics": self.metrics, "history": self._history, "transductive": self._transductive or None}
        self.update(state=state, seconds=seconds, **found, **changes)


@contextmanager
def reporting_to(reporter: JobReporter) -> Iterator[None]:
    """Make `reporter` the current one inside the block."""
    global _current
    _current = reporter
    try:
        yield
    finally:
        _current = None
