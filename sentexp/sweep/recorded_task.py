"""The task function as launchers get it: it records what becomes of its job."""

from __future__ import annotations

import math
import os
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sentexp import checkpoint_files
from sentexp.errors import Pruned, SentexpError, Terminated, one_line
from sentexp.redact import without_passwords
from sentexp.sweep import trust
from sentexp.sweep.job_reporter import JobReporter, reporting_to
from sentexp.sweep.orphans import this_process

if TYPE_CHECKING:
    from sentexp.sweep.storage import SweepStorage

JOB_VARIABLE = "SENTEXP_SWEEP_JOB"
"""Environment variable that tells a job which one it is, as TRIAL/INDEX/FIRST: its trial, its index there, and the
number of the first trial of this start of the driver."""

KEPT = ("*.log", ".hydra", "interrupted-*")
"""What stays where it is in the folder of a job that was interrupted and begins anew."""


class JobFailed(Exception):
    """A failure of a job that raised no exception itself."""


@dataclass(frozen=True)
class RecordedTask:
    """The task function of a sweep, wrapped so that each job records its beginning and its end in the study.

    The end is in the study before the launcher hears of it, so a driver that is killed loses no result.
    """

    task: Callable[[DictConfig], Any]
    storage: str
    """Journal file or database URL, for `open_storage`."""
    study: str
    driver: str
    metrics: tuple[str, ...]
    """sweep.metric"""
    pruner: Any
    """One of Optuna's; None prunes nothing."""
    max_failures: int | None
    """sweep.max_failures"""
    untrusted: str | None = None
    """sweep.resume where its folder is not trusted: a job that names code outside of this package fails. The driver has
    looked at examples of the points, but the study has the points themselves."""

    def __call__(self, config: DictConfig) -> Any:
        """Run the job that JOB_VARIABLE names, unless the sweep has stopped or its first seed was pruned."""
        from sentexp.sweep.storage import open_storage

        storage = open_storage(self.storage, self.study, pruner=self.pruner)
        trial, index, first = map(int, os.environ[JOB_VARIABLE].split("/"))
        if self._too_many_failures(storage, first):
            return None
        job = storage.job(trial, index)
        reporter = JobReporter(storage, job, self.metrics[0] if self.pruner is not None else None)
        if reporter.first_seed_was_pruned():
            reporter.end("pruned")
            return None
        hydra = HydraConfig.get()
        output = Path(hydra.runtime.output_dir)
        if self.untrusted is not None:
            try:
                trust.refuse_elsewhere(output, Path(hydra.sweep.dir), self.untrusted)
            except SentexpError as error:
                reporter.end("failed", error=one_line(error))
                raise
        folder = os.path.relpath(output, hydra.sweep.dir)
        reporter.update(state="running", began=time.time(), folder=folder, **this_process())
        _redact(output / str(hydra.output_subdir))
        # with a checkpoint, its training goes on among its own files
        if job.restarts and not checkpoint_files.there(output):
            set_aside(output, job.restarts)
        with reporting_to(reporter):
            return self._run(config, reporter)

    def _run(self, config: DictConfig, reporter: JobReporter) -> Any:
        try:
            try:
                if self.untrusted is not None:
                    trust.refuse(trust.code_in(OmegaConf.to_container(config, resolve=True)), self.untrusted)  # type: ignore[arg-type]
                returned = self.task(config)
            except Pruned:
                returned = None
            except SystemExit as error:
                if isinstance(error, Terminated):
                    raise
                raise JobFailed(f"called sys.exit({error.code})") from error
            if reporter.pruned:
                reporter.end("pruned")
                return None
            values = _values(self.metrics, returned, reporter.metrics)
        except (KeyboardInterrupt, Terminated):
            reporter.update(state="waiting", error="interrupted")
            raise
        except BaseException as error:
            _write_traceback()
            reporter.end("failed", error=one_line(error))
            raise
        reporter.end("finished", values=values)
        return returned

    def _too_many_failures(self, storage: SweepStorage, first: int) -> bool:
        """Return True if enough jobs have failed since this start of the driver; earlier failures do not count."""
        if self.max_failures is None:
            return False
        from sentexp.sweep.storage import jobs_of

        trials = (trial for trial in storage.newest_trials(self.driver) if trial.number >= first)
        return sum(job.state == "failed" for trial in trials for job in jobs_of(trial)) >= self.max_failures


def _redact(folder: Path) -> None:
    """Take passwords that a file of the user's brought along out of what Hydra has written of the configuration."""
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if without_passwords(text) != text:
            path.write_text(without_passwords(text), encoding="utf-8")


def set_aside(folder: Path, restarts: int) -> None:
    """Move what an interrupted start of a job has left in its folder to `interrupted-N`, as it stood there.

    The job begins anew and must not take these files for its own; what the store had not taken of the earlier run can
    be recorded from there.
    """
    left = [path for path in folder.iterdir() if not any(path.match(pattern) for pattern in KEPT)]
    if left:
        place = folder / f"interrupted-{restarts}"
        place.mkdir(exist_ok=True)
        for path in left:
            shutil.move(path, place / path.name)


def _values(names: tuple[str, ...], returned: Any, metrics: Mapping[str, float]) -> tuple[float, ...]:
    """Return the value of each metric of sweep.metric.

    They are taken from what the run reported, or from what the task function returned if it reported nothing. Raises
    SentexpError for a metric that was not reported, JobFailed for what is no finite number.
    """
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
        values = tuple(float(value) for value in found)
    except (TypeError, ValueError) as error:
        raise JobFailed(f"returned {returned!r}, not a number") from error
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value):
            raise JobFailed(f"returned {value} as {name}")
    return values


def _write_traceback() -> None:
    """Append the traceback to the job's own log; the terminal shows one line per failed job at the end of the sweep."""
    hydra = HydraConfig.get()
    log = Path(hydra.runtime.output_dir) / f"{hydra.job.name}.log"
    with log.open("a", encoding="utf-8") as file:
        file.write(traceback.format_exc())
