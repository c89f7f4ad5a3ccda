"""What a sweep has done so far, read back from its folder: its jobs, its points, the best of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class JobRecord:
    number: int
    """Of the job, and the name of its folder."""
    point: tuple[str, ...]
    """The overrides that make the point; the seed is left out."""
    seed: int | None
    """Where sweep.seeds is above 1."""
    state: str
    """waiting, running, finished, failed or pruned."""
    values: tuple[float, ...] | None
    """Of sweep.metric, in its order; None unless finished."""
    metrics: dict[str, float]
    """All that the run returned, such as test/accuracy and best/epoch."""
    history: list[dict[str, float]]
    """One entry an epoch, as `fit` gives it."""
    seconds: float | None
    error: str | None
    """Why it failed, in one line."""
    run_id: str | None
    """Of MLflow."""
    folder: str
    """Relative to the sweep folder."""


@dataclass(frozen=True)
class Point:
    """One combination of values, over all its seeds."""

    overrides: tuple[str, ...]
    values: tuple[float, ...] | None
    """Mean of each metric over the finished jobs; None without one."""
    deviations: tuple[float, ...] | None
    """Standard deviation of each metric over the finished jobs (n - 1 below); None with fewer than two."""
    n: int
    """Finished jobs."""
    states: tuple[str, ...]
    """Of each job."""
    jobs: tuple[JobRecord, ...]


@dataclass(frozen=True)
class SweepResults:
    folder: Path
    name: str
    metrics: tuple[str, ...]
    """sweep.metric"""
    directions: tuple[str, ...]
    """maximize or minimize, for each metric."""
    swept: tuple[str, ...]
    """Keys that vary, such as model.num_layers."""
    jobs: list[JobRecord]
    """The newest attempt of each point and seed, in the order of their numbers."""
    config: dict[str, Any]
    """The composed configuration that the points change, as plain values."""
    choices: dict[str, str]
    """The option chosen in each group, such as model: lstm."""
    launcher: str
    parent_run_id: str | None

    @staticmethod
    def load(folder: Path) -> SweepResults:
        """Of a sweep at any stage, also while it runs. Raises SentexpError if `folder` is none."""
        from sentexp.sweep.manifest import Manifest
        from sentexp.sweep.storage import entries, newest, open_storage, point_of

        manifest = Manifest.read(folder)
        storage = manifest.storage_of(folder)
        ledger = open_storage(storage, manifest.study)
        trials = newest(ledger.trials(manifest.id))
        jobs = [_job(point_of(trial), entry) for trial in trials for entry in entries(trial).values()]
        return SweepResults(
            folder=folder,
            name=manifest.name,
            metrics=tuple(manifest.metrics),
            directions=tuple(manifest.directions),
            swept=tuple(manifest.swept),
            jobs=sorted(jobs, key=lambda job: job.number),
            config={key: value for key, value in manifest.config.items() if key != "sweep"},
            choices=manifest.choices,
            launcher=manifest.launcher,
            parent_run_id=manifest.parent_run_id,
        )

    def points(self) -> list[Point]:
        """In the order of their first jobs."""
        jobs: dict[tuple[str, ...], list[JobRecord]] = {}
        for job in self.jobs:
            jobs.setdefault(job.point, []).append(job)
        return [_point(overrides, tuple(some)) for overrides, some in jobs.items()]

    def best(self) -> Point | None:
        """By the first metric, equals by the next one: so with several objectives a point of the Pareto front."""

        def rank(point: Point) -> tuple[float, ...]:
            assert point.values is not None
            signs = (1 if direction == "maximize" else -1 for direction in self.directions)
            return tuple(sign * value for sign, value in zip(signs, point.values, strict=True))

        return max(
            (point for point in self.points() if point.values and "pruned" not in point.states), key=rank, default=None
        )


def _job(point: tuple[str, ...], entry: Mapping[str, Any]) -> JobRecord:
    values = entry.get("values")
    return JobRecord(
        number=entry["number"],
        point=point,
        seed=entry["seed"],
        state=entry["state"],
        values=None if values is None else tuple(values),
        metrics=entry.get("metrics", {}),
        history=entry.get("history", []),
        seconds=entry.get("seconds"),
        error=entry.get("error"),
        run_id=entry.get("run_id"),
        folder=entry["folder"],
    )


def _point(overrides: tuple[str, ...], jobs: tuple[JobRecord, ...]) -> Point:
    finished = [job.values for job in jobs if job.values is not None]
    columns = list(zip(*finished, strict=True))
    return Point(
        overrides=overrides,
        values=tuple(statistics.fmean(column) for column in columns) if finished else None,
        deviations=tuple(statistics.stdev(column) for column in columns) if len(finished) > 1 else None,
        n=len(finished),
        states=tuple(job.state for job in jobs),
        jobs=jobs,
    )
