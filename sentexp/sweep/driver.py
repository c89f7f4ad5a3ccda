"""The driver of a sweep: from its request to all its jobs run, recorded and reported."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sentexp.atomic import whole_file
from sentexp.errors import CannotStart, SentexpError, SweepFailed, one_line
from sentexp.locks import held
from sentexp.redact import without_passwords
from sentexp.sweep import orphans, search
from sentexp.sweep.dispatcher import Dispatcher
from sentexp.sweep.distributions import search_distributions
from sentexp.sweep.point import Point
from sentexp.sweep.recorded_task import RecordedTask
from sentexp.sweep.request import SweepRequest, check_folders, check_points, sweep_request
from sentexp.sweep.results import SweepResults
from sentexp.sweep.storage import SweepStorage, jobs_of, open_storage, refuse_other_files
from sentexp.sweep.summary import planned, summary
from sentexp.sweep.trial_queue import TrialQueue
from sentexp.tracking import environment
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
) -> list[list[JobReturn]]:
    """Run all jobs that `arguments` ask for, or the rest of the sweep that sweep.resume names.

    With sweep.dry_run the jobs are listed instead, and nothing is written. `write_report` is called at the end with the
    results and the folder for tables and pictures. Returns the results of the jobs that were run, as Hydra's sweepers
    do: in batches, here one. Raises SentexpError before the first job for a mistake, SweepFailed after the last if any
    job failed.
    """
    request = sweep_request(arguments, config, context.config_loader)
    if request.settings.is_search:
        for note in search.notes(request.settings, search_distributions(request.plan), request.plan.sometimes):
            log.info(note)
    else:
        request.plan.points()  # refuses an interval
    for key, mark in request.plan.marks.items():
        if key in request.plan.never:
            log.info("%s: left out of all points; none has an option of its tag: %s", key, ", ".join(sorted(mark)))
    request = check_points(request, context.config_loader, checker)
    check_folders(request, context.config_loader)
    if request.settings.dry_run:
        for line in planned(request):
            log.info(line)
        return []
    refuse_other_files(request.manifest.storage_of(request.folder))
    launcher = _launcher(request, context, task_function)
    side_by_side = getattr(launcher, "width", 1)  # this early, for it may mean to connect, and to be refused
    with _only_driver(request.folder):
        storage = _open(request, side_by_side)
        if request.resumed:
            storage.check(request.manifest.id)
            orphans.cancel_on_slurm(request.folder, str(request.config.hydra.job.name))
            left = [job for trial in storage.trials(request.manifest.id) for job in jobs_of(trial)]
            orphans.kill(left, request.folder)
        else:
            request.manifest.write(request.folder)
            _write_multirun(request)
        with _tracker(request.config).run(name=f"sweep {request.manifest.name}", key=request.manifest.id) as parent:
            returns = _run(request, storage, parent, launcher, side_by_side)
            _report(request, parent, write_report)
    return [returns]


def _write_multirun(request: SweepRequest) -> None:
    """Write the composed configuration with Hydra's section where Hydra's sweepers do."""
    text = OmegaConf.to_yaml(request.config)
    with whole_file(request.folder / "multirun.yaml") as unfinished:
        unfinished.write_text(without_passwords(text), encoding="utf-8")


def _launcher(request: SweepRequest, context: HydraContext, task_function: TaskFunction) -> Launcher:
    """Return the launcher that is configured. Raises SentexpError if it cannot work here."""
    task = RecordedTask(
        task=task_function,
        storage=request.manifest.storage_of(request.folder),
        study=request.manifest.study,
        driver=request.manifest.id,
        metrics=request.settings.metrics,
        pruner=search.pruner(request.settings),
        max_failures=request.settings.max_failures,
        untrusted=request.settings.resume if request.is_foreign else None,
    )
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=request.config)


def _run(
    request: SweepRequest, storage: SweepStorage, parent: Run, launcher: Launcher, side_by_side: int
) -> list[JobReturn]:
    location, manifest = parent.location(), request.manifest
    if location is not None:
        manifest = manifest.with_parent(location)
        manifest.write(request.folder)
    if request.resumed:
        parent.end_children("the sweep was interrupted")
    else:
        parent.log_params(_asked(request))
        parent.log_text(
            yaml.safe_dump(without_passwords(manifest.arguments), allow_unicode=True), "config/overrides.yaml"
        )
        parent.log_environment(environment.describe_program())
        settings = {"folder": str(request.folder), "launcher": manifest.launcher, "metric": ", ".join(manifest.metrics)}
        parent.set_tags({"sweep": settings})

    queue = TrialQueue(request, storage, location)
    try:
        return Dispatcher(request, storage, launcher, side_by_side, queue, parent).run()
    except (KeyboardInterrupt, SystemExit):
        parent.end_children("interrupted")
        log.info("interrupted; go on with: %s", request.resume_command())
        raise
    except CannotStart as error:
        raise CannotStart(f"{error}; once that is mended, go on with: {request.resume_command()}") from error


def _asked(request: SweepRequest) -> dict[str, str]:
    """Return what was asked for: the values of each swept key as they were given, and what all jobs share.

    The rest of the configuration is in the jobs: no job need have used the value that a swept key has there.
    """
    space = {key: str(text) for key, text in request.settings.space.items()}
    asked = space | Point(tuple(argument.lstrip("+") for argument in request.manifest.arguments)).values
    return {key: text for key, text in asked.items() if key.split(".")[0] not in ("tracking", "cache_dir")}


def _report(request: SweepRequest, parent: Run, write_report: WriteReport) -> None:
    results = SweepResults.load(request.folder, trust=True)  # which has been opened already
    write_report(results, request.folder / "report")
    parent.log_folder(request.folder / "report", "sweep")
    if (request.folder / "experiment").is_dir():
        parent.log_folder(request.folder / "experiment", "sweep/experiment")
    states = [job.state for job in results.jobs]
    parent.set_tags({"jobs": {state: states.count(state) for state in sorted(set(states))}})
    best = results.best()
    if best is not None and best.values is not None:
        parent.log_metrics(dict(zip(results.metrics, best.values, strict=True)))
        parent.set_tags({"best": str(best.point)})
    for line in summary(results, parent.location(), request.resume_command()):
        log.info(line)
    failed = states.count("failed")
    if failed:
        raise SweepFailed(f"{failed} of {len(states)} jobs failed; again: {request.resume_command()}")


def _open(request: SweepRequest, side_by_side: int) -> SweepStorage:
    """Open the study of the sweep, or create it, with the sampler that is configured."""
    settings, manifest = request.settings, request.manifest
    location = manifest.storage_of(request.folder)
    storage = open_storage(location, manifest.study, directions=settings.directions)
    seed = OmegaConf.select(request.config, "seed")
    if seed is not None:  # a resumed search must not draw the same points again, nor another driver those of this one
        seed = None if settings.storage is not None else seed + len(storage.study.get_trials(deepcopy=False))
    storage.study.sampler = search.sampler(settings, seed, settings.n_jobs or side_by_side)
    return storage


def _tracker(config: DictConfig) -> Tracker:
    if "tracking" not in config:
        return NoTracking()
    from sentexp.instantiate import build

    return build(OmegaConf.to_container(config.tracking, resolve=True))


@contextmanager
def _only_driver(folder: Path) -> Iterator[None]:
    """Hold the folder for this driver. Raises SentexpError if another driver works in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise SentexpError(f"hydra.sweep.dir={folder}: no folder can be made there ({one_line(error)})") from error
    with held(folder / "driver.lock", refused=f"sweep.resume={folder}: another driver is at work on this sweep"):
        yield
