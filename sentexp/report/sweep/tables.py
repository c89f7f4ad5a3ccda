"""The jobs and the points of a sweep as tables."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sentexp.report.sweep.points import counts, values
from sentexp.sweep.results import Point, SweepResults


@dataclass(frozen=True)
class Columns:
    """What the columns are called: a key or a metric by its name, unless another column has it."""

    keys: dict[str, str]
    metrics: list[str]
    """Of the sweep, then the further ones."""
    further: list[str]
    """What the jobs measured beside the metrics of the sweep, figures of the test first."""
    seeds: bool
    """Whether points have several."""

    @staticmethod
    def of(record: SweepResults) -> Columns:
        found = dict.fromkeys(metric for job in record.jobs if job.state == "finished" for metric in job.metrics)
        further = [metric for metric in found if metric not in record.metrics]
        further.sort(key=lambda metric: not metric.startswith("test/"))
        seeds = any(job.seed is not None for job in record.jobs)
        taken = {"number", "state", "seconds", "error", "run_id", "n", "states", "jobs"} | (
            {"seed"} if seeds else set()
        )
        metrics = [f"metric {metric}" if metric in taken else metric for metric in (*record.metrics, *further)]
        taken.update(metrics)
        keys = {key: f"swept {key}" if key in taken else key for key in record.swept}
        return Columns(keys, metrics, further, seeds)

    def of_keys(self, point: Point) -> dict[str, str]:
        given = values(point)
        return {name: given[key][1] if key in given else "" for key, name in self.keys.items()}


def jobs_table(record: SweepResults) -> pd.DataFrame:
    """A row a job: number, swept keys as on the command line, seed where each point has several, state, metrics, those
    of the test, seconds, error, run id."""
    columns = Columns.of(record)
    rows = []
    for point in record.points():
        for job in point.jobs:
            found = [*(job.values or [None] * len(record.metrics)), *map(job.metrics.get, columns.further)]
            row: dict[str, Any] = {"number": job.number} | columns.of_keys(point)
            row |= {"seed": job.seed} if columns.seeds else {}
            row |= {"state": job.state} | dict(zip(columns.metrics, found, strict=True))
            rows.append(row | {"seconds": job.seconds, "error": job.error, "run_id": job.run_id})
    names = ["number", *columns.keys.values(), *(["seed"] if columns.seeds else []), "state", *columns.metrics]
    frame = pd.DataFrame(rows, columns=[*names, "seconds", "error", "run_id"])
    frame = frame.sort_values("number", kind="stable", ignore_index=True)
    return frame.astype({"seed": "Int64"}) if columns.seeds else frame


def points_table(record: SweepResults) -> pd.DataFrame:
    """A row a point: swept keys, n finished jobs, mean and standard deviation of every metric, states, jobs."""
    columns = Columns.of(record)
    rows = []
    for point in record.points():
        row: dict[str, Any] = columns.of_keys(point) | {"n": point.n}
        nothing = [None] * len(record.metrics)
        found = list(zip(point.values or nothing, point.deviations or nothing, strict=True))
        for name, (mean, deviation) in zip(
            columns.metrics, [*found, *(_over_seeds(point, metric) for metric in columns.further)], strict=True
        ):
            row |= {name: mean, f"{name} sd": deviation}
        rows.append(row | {"states": counts(point.states), "jobs": " ".join(str(job.number) for job in point.jobs)})
    both = [column for name in columns.metrics for column in (name, f"{name} sd")]
    return pd.DataFrame(rows, columns=[*columns.keys.values(), "n", *both, "states", "jobs"])


def ranked(record: SweepResults) -> list[Point]:
    """The points, the best first; those without a result last."""
    sign = -1 if record.directions[0] == "maximize" else 1
    best = record.best()

    def place(point: Point) -> tuple[bool, bool, float]:
        is_best = best is not None and point.overrides == best.overrides
        return (point.values is None, not is_best, sign * point.values[0] if point.values else 0.0)

    return sorted(record.points(), key=place)


def mean_and_deviation(point: Point, index: int) -> str:
    """Such as `0.8712 ± 0.0103`; nothing for a point without a result."""
    if point.values is None:
        return ""
    spread = f" ± {figure(point.deviations[index])}" if point.deviations else ""
    return figure(point.values[index]) + spread


def figure(value: float | None) -> str:
    """Four decimals, or four digits of what is too small or too large for that."""
    if value is None:
        return ""
    return f"{value:.4f}" if value == 0 or 0.001 <= abs(value) < 10_000 else f"{value:.4g}"


def _over_seeds(point: Point, metric: str) -> tuple[float | None, float | None]:
    """Mean and standard deviation of what the finished jobs measured."""
    found = [job.metrics[metric] for job in point.jobs if job.state == "finished" and metric in job.metrics]
    return (statistics.fmean(found) if found else None), (statistics.stdev(found) if len(found) > 1 else None)
