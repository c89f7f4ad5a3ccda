"""One run of a sweep, as the process that runs it sees it: what it is told, and what it writes into the ledger."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sentexp.errors import Pruned, SentexpError, Terminated
from sentexp.sweep.plan import short_names
from sentexp.tracking.interface import Location

if TYPE_CHECKING:
    from sentexp.sweep.storage import Entry, SweepStorage

JOB = "SENTEXP_SWEEP_JOB"
"""Tells a run which job it is and from which job on failures count, as TRIAL/INDEX/NUMBER."""

PARENT = "SENTEXP_PARENT_RUN_ID"

_current: JobReporter | None = None


def current() -> JobReporter | None:
    """Whom to tell how the run in this process goes; None outside of a sweep."""
    return _current


class JobFailed(Exception):
    """What a job has done that is a failure, although it raised no exception of its own."""


@dataclass(frozen=True)
class Job:
    """The task function that a launcher gets. The job's end is in the ledger before the launcher hears of it."""

    task: Callable[[DictConfig], Any]
    storage: str
    study: str
    driver: str
    metrics: tuple[str, ...]
    pruner: Any
    """None prunes nothing."""
    max_failures: int | None

    def __call__(self, config: DictConfig) -> Any:
        from sentexp.sweep.storage import entries, open_storage, point_of, this_process

        ledger = open_storage(self.storage, self.study, pruner=self.pruner)
        number, index, first = map(int, os.environ[JOB].split("/"))
        trial = ledger.trial(number)
        entry = entries(trial)[index]
        if self._too_many_failures(ledger, first):
            return None
        watched = self.metrics[0] if self.pruner is not None else None
        watch = JobReporter(ledger, number, index, point_of(trial), entry, watched)
        if watch.pruned_elsewhere():
            watch.end("pruned")
            return None
        hydra = HydraConfig.get()
        folder = os.path.relpath(hydra.runtime.output_dir, hydra.sweep.dir)
        watch.note(state="running", began=time.time(), folder=folder, **this_process())
        with _watched_by(watch):
            return self._run(config, watch)

    def _run(self, config: DictConfig, watch: JobReporter) -> Any:
        try:
            try:
                returned = self.task(config)
            except Pruned:
                returned = None
            except SystemExit as error:
                if isinstance(error, Terminated):
                    raise
                raise JobFailed(f"called sys.exit({error.code})") from error
            if watch.pruned:
                watch.end("pruned")
                return None
            values = _values(self.metrics, returned, watch.metrics)
        except (KeyboardInterrupt, Terminated):
            watch.note(state="waiting", error="interrupted")
            raise
        except BaseException as error:
            _write_traceback()
            watch.end("failed", error=one_line(error))
            raise
        watch.end("finished", values=values)
        return returned

    def _too_many_failures(self, ledger: SweepStorage, first: int) -> bool:
        """Failures of jobs before `first` are over."""
        if self.max_failures is None:
            return False
        from sentexp.sweep.storage import entries, newest

        found = (entry for trial in newest(ledger.trials(self.driver)) for entry in entries(trial).values())
        failed = sum(entry["state"] == "failed" and entry["number"] >= first for entry in found)
        return failed >= self.max_failures


class JobReporter:
    """What a run tells of itself while it runs."""

    def __init__(
        self, ledger: SweepStorage, number: int, index: int, point: Sequence[str], entry: Entry, watched: str | None
    ) -> None:
        self._ledger = ledger
        self._number = number
        self._index = index
        self._entry = dict(entry)
        self._watched = None if watched is None else "valid/loss" if watched.endswith("loss") else "valid/accuracy"
        self._began = time.perf_counter()
        self.history: list[dict[str, float]] = []
        self.metrics: dict[str, float] = {}
        self.pruned = False
        self.name = run_name(point, entry)
        """Of the recorded run."""

    def begin(self, location: Location | None) -> None:
        """The run is recorded at `location`."""
        if location is not None:
            self.note(run_id=location.run_id)

    def epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        """An epoch has ended with these metrics. Raises Pruned if the run is hopeless."""
        self.history.append(dict(metrics))
        if self._watched is None:
            return
        if self._index == 0:
            trial = self._ledger.live(self._number)
            trial.report(metrics[self._watched], epoch)
            self.pruned = trial.should_prune()
        else:
            self.pruned = self.pruned_elsewhere()
        if self.pruned:
            raise Pruned(epoch)

    def finish(self, metrics: Mapping[str, float]) -> None:
        """All that the run has come to."""
        self.metrics = dict(metrics)

    def pruned_elsewhere(self) -> bool:
        """The first seed of a point speaks for the others."""
        if self._watched is None or self._index == 0:
            return False
        return self._ledger.trial(self._number).user_attrs["job/0"]["state"] == "pruned"

    def note(self, **news: Any) -> None:
        self._entry |= news
        self._ledger.write(self._number, self._index, self._entry)

    def end(self, state: str, **news: Any) -> None:
        seconds = time.perf_counter() - self._began
        self.note(state=state, seconds=seconds, metrics=self.metrics, history=self.history, **news)


@contextmanager
def _watched_by(watch: JobReporter) -> Iterator[None]:
    global _current
    _current = watch
    try:
        yield
    finally:
        _current = None


def _values(names: tuple[str, ...], returned: Any, metrics: Mapping[str, float]) -> list[float]:
    """Those of sweep.metric: out of what the run told, else what the task function returned, one or a sequence."""
    found: Sequence[Any]
    if metrics:
        for name in names:
            if name not in metrics:
                raise SentexpError(f"sweep.metric={name}: the run has no such metric (there are {', '.join(metrics)})")
        found = [metrics[name] for name in names]
    else:
        found = returned if isinstance(returned, Sequence) and not isinstance(returned, str) else [returned]
        if len(found) != len(names):
            raise JobFailed(f"returned {returned!r} where sweep.metric names {len(names)}")
    try:
        values = [float(value) for value in found]
    except (TypeError, ValueError) as error:
        raise JobFailed(f"returned {returned!r}, not a number") from error
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value):
            raise JobFailed(f"returned {value} as {name}")
    return values


def _write_traceback() -> None:
    """Into the job's own log: the terminal gets the table of failures at the end."""
    hydra = HydraConfig.get()
    log = Path(hydra.runtime.output_dir) / f"{hydra.job.name}.log"
    with log.open("a", encoding="utf-8") as file:
        file.write(traceback.format_exc())


def run_name(point: Sequence[str], entry: Mapping[str, Any]) -> str:
    """`3 num_layers=2 seed=1`: in the narrow columns of MLflow's pages, what tells runs apart comes first."""
    given = {key: value for key, _, value in (override.partition("=") for override in point)}
    if entry["seed"] is not None:
        given["seed"] = entry["seed"]
    return " ".join([str(entry["number"]), *(f"{name}={given[key]}" for key, name in short_names(list(given)).items())])


def one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    ours = type(error).__module__.startswith(("sentexp.", "hydra_plugins.sentexp"))
    if ours and lines:  # they say it all
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
