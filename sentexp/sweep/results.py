"""What a sweep has done so far, read from its folder: its jobs, its points, the best of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentexp.errors import SentexpError
from sentexp.servers import sent_passwords
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point


@dataclass(frozen=True)
class PointResult:
    """The results of one point over all its seeds."""

    point: Point
    values: tuple[float, ...] | None
    """Mean of each metric of sweep.metric over the finished jobs; None without one."""
    deviations: tuple[float, ...] | None
    """Standard deviation of each metric over the finished jobs (n - 1 in the denominator); None with fewer than two."""
    n: int
    """Number of finished jobs."""
    states: tuple[str, ...]
    """State of each job."""
    jobs: tuple[JobRecord, ...]

    @staticmethod
    def of(point: Point, jobs: Sequence[JobRecord]) -> PointResult:
        """Aggregate the jobs of a point."""
        finished = [job.values for job in jobs if job.values is not None]
        columns = list(zip(*finished, strict=True))
        return PointResult(
            point=point,
            values=tuple(statistics.fmean(column) for column in columns) if finished else None,
            deviations=tuple(statistics.stdev(column) for column in columns) if len(finished) > 1 else None,
            n=len(finished),
            states=tuple(job.state for job in jobs),
            jobs=tuple(jobs),
        )

    @property
    def overrides(self) -> tuple[str, ...]:
        return self.point.overrides

    @property
    def transductive(self) -> bool:
        """True if models of the point have seen texts of the test reviews; see `sentexp.books`."""
        return any(job.transductive for job in self.jobs)


@dataclass(frozen=True)
class SweepResults:
    """All that reports of a sweep are made from."""

    folder: Path
    name: str
    metrics: tuple[str, ...]
    """sweep.metric"""
    directions: tuple[str, ...]
    """maximize or minimize, one per metric."""
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
    page: str | None = None
    """Address of the page of the run that records the sweep; None if it is not recorded, or by an earlier version."""
    ui_command: str | None = None
    """Shell command that opens MLflow's pages; None as above."""

    @staticmethod
    def load(folder: Path, *, trust: bool = False) -> SweepResults:
        """Read the results of a sweep, which may still run.

        Raises SentexpError if `folder` is not a sweep's, for a study that is damaged, and without `trust` if it names a
        server that would be sent a password of the user's.

        results = SweepResults.load(Path("multirun/2026-01-31/12-00-00"))
        results.best().overrides  # such as ('model.hidden_size=128', 'model.num_layers=1')
        """
        from sentexp.sweep.manifest import Manifest
        from sentexp.sweep.storage import jobs_of, open_storage

        manifest = Manifest.read(folder)
        for sent in () if trust else sent_passwords("sweep.storage", manifest.storage):
            raise SentexpError(f"{folder}: {sent.refusal('--trust (trust=True in Python), or the variable unset')}")
        storage = open_storage(manifest.storage_of(folder), manifest.study)
        directions = [direction.name.lower() for direction in storage.study.directions]
        if manifest.directions != directions or len(manifest.metrics) != len(directions):
            asked = f"{','.join(manifest.metrics)} with directions {','.join(manifest.directions)}"
            raise SentexpError(f"{folder}: {asked}; expected {','.join(directions)}, as its study has")
        storage.check(manifest.id)
        jobs = [job for trial in storage.newest_trials(manifest.id) for job in jobs_of(trial)]
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
            page=manifest.page,
            ui_command=manifest.ui_command,
        )

    def points(self) -> list[PointResult]:
        """Return the results of each point, in the order of their first jobs."""
        jobs: dict[Point, list[JobRecord]] = {}
        for job in self.jobs:
            jobs.setdefault(job.point, []).append(job)
        return [PointResult.of(point, some) for point, some in jobs.items()]

    def best(self) -> PointResult | None:
        """Return the best point by the first metric, ties by the next one; None if no point has a result.

        With several metrics this is a point of the Pareto front. Points with a pruned job are left out.
        """

        def rank(result: PointResult) -> tuple[float, ...]:
            assert result.values is not None
            signs = (1 if direction == "maximize" else -1 for direction in self.directions)
            return tuple(sign * value for sign, value in zip(signs, result.values, strict=True))

        candidates = (result for result in self.points() if result.values and "pruned" not in result.states)
        return max(candidates, key=rank, default=None)
