"""Which points are still to be tried, in which order, and the jobs that try them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from sentexp.errors import SentexpError
from sentexp.sweep import search
from sentexp.sweep.job import JOB, PARENT
from sentexp.sweep.plan import Point
from sentexp.sweep.request import SweepRequest
from sentexp.sweep.storage import DONE, Entry, SweepStorage, entries, newest, point_of
from sentexp.tracking.interface import Location


@dataclass(frozen=True)
class Task:
    """A job to be launched."""

    trial: int
    index: int
    number: int
    point: Point
    overrides: list[str]


class Trials:
    """The trials that are missing, each made when it is asked for.

    A trial whose jobs have not all ended well is tried again by a new one, which takes over the jobs that have. So
    numbers and folders never collide, and a launcher always gets consecutive numbers.
    """

    def __init__(self, asked: SweepRequest, ledger: SweepStorage, parent: Location | None) -> None:
        self._asked = asked
        self._ledger = ledger
        self._parent = parent
        self._driver = asked.manifest.id
        known = ledger.trials(self._driver)
        numbers = [entry["number"] for trial in known for entry in entries(trial).values()]
        self.first = max(numbers, default=-1) + 1
        """Number of the first job of this driver's start: failures before it are over."""
        self._next_number = self.first
        self._known = newest(known)
        settings = asked.settings
        self._seeds = _seeds(asked)
        tried = [trial for trial in known if "retry_of" not in trial.user_attrs]
        self._distributions: dict[str, BaseDistribution] = {}
        self._points: list[Point] = []
        self._fresh = 0
        if settings.guided:
            self._distributions = search.space(asked.plan)
            self._fresh = max(0, settings.n_trials - len(tried))
            points = len(tried) + self._fresh
        else:
            done = Counter(point_of(trial) for trial in tried)
            for point in (every := asked.plan.points()):
                if done[point]:
                    done[point] -= 1
                else:
                    self._points.append(point)
            points = len(every)
        self.total = points * settings.seeds
        """Jobs of the whole sweep."""
        if settings.storage is None:
            self._drop_unfinished_births()

    def missing(self) -> Iterator[list[Task]]:
        """A list of jobs for each trial: points never begun, then interrupted ones, then those that failed.

        Those that have been tried least often come first. So a sweep goes on behind a job that takes the driver along
        each time.
        """
        again: list[tuple[int, int, FrozenTrial]] = []
        for trial in self._known:
            kind = _kind(list(entries(trial).values()))
            if kind is not None:
                again.append((_tries(trial), KINDS.index(kind), trial))
        again.sort(key=lambda some: some[:2])
        yield from (self._again(trial) for tries, _, trial in again if tries == 0)
        yield from map(self._at, self._points)
        yield from (self._guess() for _ in range(self._fresh))
        yield from (self._again(trial) for tries, _, trial in again if tries > 0)

    def _at(self, point: Point) -> list[Task]:
        found = self._jobs(range(len(self._seeds)))
        return self._tasks(self._ledger.add(self._attributes(point, found), {}, {}), point, found)

    def _guess(self) -> list[Task]:
        """A point that the sampler chooses."""
        trial = self._ledger.study.ask(self._distributions)
        point, found = search.point(trial.params), self._jobs(range(len(self._seeds)))
        # why the driver last: with it the trial counts as ours
        for key, value in self._attributes(point, found).items():
            self._ledger.set(trial.number, key, value)
        return self._tasks(trial.number, point, found)

    def _again(self, trial: FrozenTrial) -> list[Task]:
        before = entries(trial)
        kept = {index: entry for index, entry in before.items() if entry["state"] in DONE}
        found = self._jobs([index for index in before if index not in kept])
        history = {"retry_of": trial.number, "tries": _tries(trial)}
        attributes = {**history, **self._attributes(point_of(trial), kept | found)}
        number = self._ledger.add(attributes, trial.params, trial.distributions)
        self._ledger.drop(trial.number)
        return self._tasks(number, point_of(trial), found)

    def _jobs(self, indices: Any) -> dict[int, Entry]:
        found = {}
        for index in indices:
            number, self._next_number = self._next_number, self._next_number + 1
            found[index] = {
                "number": number,
                "folder": str(number),
                "seed": self._seeds[index],
                "state": "waiting",
            }
        return found

    def _attributes(self, point: Point, jobs: Mapping[int, Entry]) -> dict[str, Any]:
        found = {f"job/{index}": jobs[index] for index in sorted(jobs)}
        return {"overrides": list(point), **found, "driver": self._driver}

    def _tasks(self, trial: int, point: Point, jobs: Mapping[int, Entry]) -> list[Task]:
        return [
            Task(trial, index, entry["number"], point, self._overrides(trial, index, point, entry["seed"]))
            for index, entry in jobs.items()
        ]

    def _overrides(self, trial: int, index: int, point: Point, seed: int | None) -> list[str]:
        overrides = self._asked.plan.overrides_of(point)
        if seed is not None:
            overrides.append(f"seed={seed}")
        told = {JOB: f"{trial}/{index}/{self.first}"}
        if self._parent is not None:
            told[PARENT] = self._parent.run_id
        return [*overrides, *(f"++hydra.job.env_set.{name}='{value}'" for name, value in told.items())]

    def _drop_unfinished_births(self) -> None:
        """A driver that was killed while it asked for a point has left a trial that is nobody's."""
        study = self._ledger.study
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if "driver" not in trial.user_attrs:
                self._ledger.drop(trial.number)


KINDS = ("waiting", "interrupted", "failed")


def _tries(trial: FrozenTrial) -> int:
    """How often the jobs of this point have begun."""
    begun = any("began" in entry and entry["state"] not in DONE for entry in entries(trial).values())
    return trial.user_attrs.get("tries", 0) + (1 if begun else 0)


def _kind(jobs: list[Entry]) -> str | None:
    """Why a trial must be tried again; None if it need not."""
    open_jobs = [entry for entry in jobs if entry["state"] not in DONE]
    if not open_jobs or any(entry["state"] == "pruned" for entry in jobs):
        return None
    if all(entry["state"] == "waiting" and "began" not in entry for entry in open_jobs):
        return "waiting"
    return "failed" if all(entry["state"] == "failed" for entry in open_jobs) else "interrupted"


def _seeds(asked: SweepRequest) -> list[int | None]:
    count = asked.settings.seeds
    if count == 1:
        return [None]
    if "seed" in asked.plan.axes:
        raise SentexpError(f"sweep.seeds={count}: repeats every point with seeds of its own; expected seed=... once")
    first = OmegaConf.select(asked.config, "seed")
    if first is None:
        raise SentexpError(f"sweep.seeds={count}: the configuration has no key `seed`")
    return [first + index for index in range(count)]
