"""The driver of a sweep: from what was asked to all its jobs run, recorded and reported."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sentexp.errors import SentexpError, SweepFailed
from sentexp.sweep import orphans, search
from sentexp.sweep import request as asking
from sentexp.sweep.job import Job
from sentexp.sweep.launching import Launching
from sentexp.sweep.request import SweepRequest
from sentexp.sweep.results import SweepResults
from sentexp.sweep.storage import SweepStorage, entries, open_storage
from sentexp.sweep.summary import summary
from sentexp.sweep.trials import Trials
from sentexp.tracking.environment import program
from sentexp.tracking.interface import Run, Tracker
from sentexp.tracking.none import NoTracking

log = logging.getLogger(__name__)

WriteReport = Callable[[SweepResults, Path], object]


def sweep(
    arguments: Sequence[str],
    config: DictConfig,
    context: HydraContext,
    task_function: TaskFunction,
    checker: str | None,
    write_report: WriteReport,
) -> None:
    """Run all jobs that `arguments` ask for, or the rest of the sweep that sweep.resume names.

    `write_report` is called at the end with the results and the folder for tables and pictures. Raises SentexpError
    before the first job for a mistake, SweepFailed after the last if any job failed.
    """
    asked = asking.asked(arguments, config, context.config_loader)
    if not asked.settings.guided:
        asked.plan.points()
    else:
        for note in search.notes(asked.settings, search.space(asked.plan)):
            log.info(note)
    asking.check(asked, context.config_loader, checker)
    launcher = _launcher(asked, context, task_function)
    side_by_side = getattr(launcher, "width", 1)  # why so early: to ask for it may mean to connect, and to be refused
    with _alone(asked.folder):
        ledger = _open(asked, side_by_side)
        if not asked.resumed:
            asked.manifest.write(asked.folder)
        if asked.resumed:
            orphans.cancel_on_slurm(asked.folder, str(asked.config.hydra.job.name))
            orphans.kill(entry for trial in ledger.trials(asked.manifest.id) for entry in entries(trial).values())
        with _tracker(asked.config).run(name=f"sweep {asked.manifest.name}", key=asked.manifest.id) as parent:
            _run(asked, ledger, parent, launcher, side_by_side)
            _report(asked, parent, write_report)


def _launcher(asked: SweepRequest, context: HydraContext, task_function: TaskFunction) -> Launcher:
    """Raises SentexpError if it cannot work here."""
    job = Job(
        task=task_function,
        storage=asked.manifest.storage_of(asked.folder),
        study=asked.manifest.study,
        driver=asked.manifest.id,
        metrics=asked.settings.metrics,
        pruner=search.pruner(asked.settings) if asked.settings.pruner != "none" else None,
        max_failures=asked.settings.max_failures,
    )
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=job, config=asked.config)


def _run(asked: SweepRequest, ledger: SweepStorage, parent: Run, launcher: Launcher, side_by_side: int) -> None:
    location, manifest = parent.location(), asked.manifest
    if location is not None and manifest.parent_run_id is None:
        manifest = manifest.with_parent(location.run_id)
        manifest.write(asked.folder)
    if asked.resumed:
        parent.end_children("the sweep was interrupted")
    else:
        parent.log_config(manifest.config, manifest.arguments)
        parent.set_tags({"sweep": {"folder": str(asked.folder), "launcher": manifest.launcher}})

    trials = Trials(asked, ledger, location)
    try:
        Launching(asked, ledger, launcher, side_by_side, trials, parent).run()
    except (KeyboardInterrupt, SystemExit):
        parent.end_children("interrupted")
        log.info("interrupted; go on with: %s", resume_command(asked))
        raise


def _report(asked: SweepRequest, parent: Run, write_report: WriteReport) -> None:
    record = SweepResults.load(asked.folder)
    write_report(record, asked.folder / "report")
    parent.log_folder(asked.folder / "report", "sweep")
    if (asked.folder / "experiment").is_dir():
        parent.log_folder(asked.folder / "experiment", "sweep/experiment")
    states = [job.state for job in record.jobs]
    parent.set_tags({"jobs": {state: states.count(state) for state in sorted(set(states))}})
    best = record.best()
    if best is not None and best.values is not None:
        parent.log_metrics(dict(zip(record.metrics, best.values, strict=True)), step=len(record.jobs))
        parent.set_tags({"best": " ".join(best.overrides)})
    for line in summary(record, parent.location(), resume_command(asked)):
        log.info(line)
    failed = states.count("failed")
    if failed:
        raise SweepFailed(f"{failed} of {len(states)} runs failed; again: {resume_command(asked)}")


def resume_command(asked: SweepRequest) -> str:
    sources = asked.config.hydra.runtime.config_sources
    added = [word for source in sources if source.provider == "command-line" for word in ("--config-dir", source.path)]
    return shlex.join([program(), "-m", *added, f"sweep.resume={asked.folder}"])


def _open(asked: SweepRequest, side_by_side: int) -> SweepStorage:
    settings, manifest = asked.settings, asked.manifest
    storage = manifest.storage_of(asked.folder)
    ledger = open_storage(storage, manifest.study, directions=settings.directions)
    seed = OmegaConf.select(asked.config, "seed")
    if seed is not None:  # a resumed search must not draw the same points again, nor another driver those of this one
        seed = None if settings.storage is not None else seed + len(ledger.study.get_trials(deepcopy=False))
    ledger.study.sampler = search.sampler(settings, seed, settings.n_jobs or side_by_side)
    return ledger


def _tracker(config: DictConfig) -> Tracker:
    if "tracking" not in config:
        return NoTracking()
    from sentexp.instantiate import build

    return build(OmegaConf.to_container(config.tracking, resolve=True))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuses a folder that another driver is at work in."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "driver.lock", timeout=0):
            yield
    except Timeout as error:
        raise SentexpError(f"sweep.resume={folder}: another driver is at work on this sweep") from error
