"""The trials of a sweep that are still to be run, in which order, and the jobs of each."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from sentexp.errors import SentexpError
from sentexp.redact import without_passwords
from sentexp.sweep.distributions import GridParameters, could_be_drawn, draw, search_distributions
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point
from sentexp.sweep.recorded_task import JOB_VARIABLE
from sentexp.sweep.request import SweepRequest, seeds_of
from sentexp.sweep.storage import SweepStorage, jobs_of, newest, point_of
from sentexp.tracking.interface import PARENT_RUN_ID_VARIABLE, Location


class TrialQueue:
    """The trials that are missing, each created when its turn comes.

    A trial whose jobs have not all ended well is tried again by a new one, which takes over the jobs that have. A job
    that was interrupted goes into it with its number and folder; one that failed leaves them behind, for its log tells
    why.
    """

    def __init__(self, request: SweepRequest, storage: SweepStorage, parent: Location | None) -> None:
        self._request = request
        self._storage = storage
        self._parent = parent
        self._driver = request.manifest.id
        trials = storage.trials(self._driver)
        self.first = max((trial.number for trial in trials), default=-1) + 1
        """Number of the first trial of this start of the driver: earlier failures count no more."""
        self._next_number = max((job.number for trial in trials for job in jobs_of(trial)), default=-1) + 1
        self._known = newest(trials)
        settings = request.settings
        self._seeds = seeds_of(request)
        tried = [trial for trial in trials if "retry_of" not in trial.user_attrs]
        self._distributions: dict[str, BaseDistribution] = {}
        self._grid: GridParameters | None = None
        self._points: list[Point] = []
        self._to_draw = 0
        if settings.is_search:
            self._distributions = search_distributions(request.plan)
            self._refuse_other_points(trials, lambda point: could_be_drawn(point, self._distributions))
            self._to_draw = max(0, settings.n_trials - len(tried))
            count = len(tried) + self._to_draw
        else:
            self._grid = GridParameters(request.plan)
            points = request.plan.points()
            known = set(points)
            self._refuse_other_points(trials, lambda point: point in known)
            begun = Counter(point_of(trial) for trial in tried)
            for point in points:
                if begun[point]:
                    begun[point] -= 1
                else:
                    self._points.append(point)
            count = len(points)
        self.total = count * settings.seeds
        """Jobs of the whole sweep."""
        if settings.storage is None:
            self._fail_orphan_trials()

    def missing(self) -> Iterator[list[JobRecord]]:
        """Yield the jobs of each missing trial: points never begun, then interrupted ones, then those that failed.

        Among those to be tried again, the ones tried least often come first. So a sweep gets past a job that kills its
        driver each time.
        """
        again: list[tuple[int, Retry, FrozenTrial]] = []
        for trial in self._known:
            reason = _reason_to_retry(jobs_of(trial))
            if reason is not None:
                again.append((_tries(trial), reason, trial))
        again.sort(key=lambda one: one[:2])
        yield from (self._retry(trial) for tries, _, trial in again if tries == 0)
        yield from map(self._add, self._points)
        yield from (self._draw() for _ in range(self._to_draw))
        yield from (self._retry(trial) for tries, _, trial in again if tries > 0)

    def overrides_of(self, job: JobRecord) -> list[str]:
        """Return the whole command line of a job, with what its process is told by environment variables."""
        seed = [] if job.seed is None else [f"seed={job.seed}"]
        variables = {JOB_VARIABLE: f"{job.trial}/{job.index}/{self.first}"}
        if self._parent is not None:
            variables[PARENT_RUN_ID_VARIABLE] = self._parent.run_id
        told = [f"++hydra.job.env_set.{name}='{value}'" for name, value in variables.items()]
        return [*self._request.plan.overrides_of(job.point), *seed, *told]

    def _add(self, point: Point) -> list[JobRecord]:
        """Create a trial at a point of the grid."""
        assert self._grid is not None
        jobs = self._new_jobs(point, range(len(self._seeds)))
        number = self._storage.add(self._driver, point, jobs, *self._grid.at(point))
        return [replace(job, trial=number) for job in jobs]

    def _draw(self) -> list[JobRecord]:
        """Create a trial at a point that the sampler chooses."""
        number, point = draw(self._storage.study, self._request.plan, self._distributions)
        jobs = self._new_jobs(point, range(len(self._seeds)))
        self._storage.claim(number, self._driver, point, jobs)
        return [replace(job, trial=number) for job in jobs]

    def _retry(self, trial: FrozenTrial) -> list[JobRecord]:
        """Create a trial that supersedes another. Return its new jobs."""
        point, before = point_of(trial), jobs_of(trial)
        new = self._new_jobs(point, [job.index for job in before if job.state == "failed"])
        new += [
            JobRecord(
                job.number,
                point,
                self._seeds[job.index],
                "waiting",
                job.folder,
                index=job.index,
                restarts=job.restarts + (job.began is not None),
            )
            for job in before
            if not job.has_ended
        ]
        new.sort(key=lambda job: job.index)
        jobs = sorted([*(job for job in before if job.is_done), *new], key=lambda job: job.index)
        parameters, distributions = trial.params, trial.distributions
        if self._grid is not None:  # a grid that an earlier version began has none yet
            parameters, distributions = self._grid.at(point)
        history = {"retry_of": trial.number, "tries": _tries(trial)}
        number = self._storage.add(self._driver, point, jobs, parameters, distributions, **history)
        self._storage.fail(trial.number)
        return [replace(job, trial=number) for job in new]

    def _new_jobs(self, point: Point, indices: Iterable[int]) -> list[JobRecord]:
        jobs = []
        for index in indices:
            number, self._next_number = self._next_number, self._next_number + 1
            jobs.append(JobRecord(number, point, self._seeds[index], "waiting", folder=str(number), index=index))
        return jobs

    def _refuse_other_points(self, trials: Iterable[FrozenTrial], is_known: Callable[[Point], bool]) -> None:
        """Raise SentexpError for a point that this sweep does not have: the study may be anyone's."""
        for point in map(point_of, trials):
            if not is_known(point):
                study = without_passwords(self._request.manifest.storage_of(self._request.folder))
                raise SentexpError(f"sweep.resume: {study} has the point {point}, which is none of this sweep's")

    def _fail_orphan_trials(self) -> None:
        """Fail trials that nobody runs: a driver was killed after the sampler created them, before it claimed them."""
        study = self._storage.study
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if "driver" not in trial.user_attrs:
                self._storage.fail(trial.number)


class Retry(enum.IntEnum):
    """Why a trial is tried again, in the order in which that happens."""

    NEVER_BEGUN = 0
    INTERRUPTED = 1
    FAILED = 2


def _reason_to_retry(jobs: list[JobRecord]) -> Retry | None:
    """Return why a trial with these jobs must be tried again, or None if it need not be."""
    left = [job for job in jobs if not job.is_done]
    if not left or any(job.state == "pruned" for job in jobs):
        return None
    if all(job.state == "waiting" and job.began is None for job in left):
        return Retry.NEVER_BEGUN
    return Retry.FAILED if all(job.state == "failed" for job in left) else Retry.INTERRUPTED


def _tries(trial: FrozenTrial) -> int:
    """Return how often jobs of this point have begun and not ended well."""
    begun = any(job.began is not None and not job.is_done for job in jobs_of(trial))
    return trial.user_attrs.get("tries", 0) + (1 if begun else 0)
