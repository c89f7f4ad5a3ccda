"""The jobs and the points of a sweep as tables."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sentexp.report.sweep.points import count_states, value_texts
from sentexp.sweep.results import PointResult, SweepResults

FIXED = ("number", "seed", "state", "seconds", "error", "run_id", "n", "states", "jobs", "transductive")
"""Columns that every sweep has; a key or a metric of the same name gets another one."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns: a key's or a metric's own name, unless another column has it."""

    keys: dict[str, str]
    """The column of each swept key."""
    metrics: list[str]
    """The columns of the metrics: those of the sweep, then the further ones."""
    further: list[str]
    """Metrics of the jobs beside those of the sweep, the test's first."""
    seeds: bool
    """True if points were run with several seeds."""
    transductive: bool
    """True if there are models that have seen texts of the test reviews: they must be told from the others."""

    @staticmethod
    def of(results: SweepResults) -> Columns:
        """Choose the names for a sweep."""
        found = dict.fromkeys(metric for job in results.jobs if job.state == "finished" for metric in job.metrics)
        further = [metric for metric in found if metric not in results.metrics]
        further.sort(key=lambda metric: not metric.startswith("test/"))
        seeds = any(job.seed is not None for job in results.jobs)
        taken = {*FIXED} if seeds else {*FIXED} - {"seed"}
        metrics = [f"metric {metric}" if metric in taken else metric for metric in (*results.metrics, *further)]
        taken.update(metrics)
        keys = {key: f"swept {key}" if key in taken else key for key in results.swept}
        return Columns(keys, metrics, further, seeds, any(job.transductive for job in results.jobs))

    def key_cells(self, point: PointResult) -> dict[str, str]:
        """Return the text of each swept key by its column."""
        given = value_texts(point)
        return {name: given.get(key, "") for key, name in self.keys.items()}


def jobs_table(results: SweepResults) -> pd.DataFrame:
    """Return one row per job.

    The columns are number, swept keys (as on the command line), seed (if points have several), state, metrics of the
    sweep, further metrics, transductive (if some are), seconds, error and run_id.
    """
    columns = Columns.of(results)
    rows = []
    for point in results.points():
        for job in point.jobs:
            found = [*(job.values or [None] * len(results.metrics)), *map(job.metrics.get, columns.further)]
            row: dict[str, Any] = {"number": job.number} | columns.key_cells(point)
            row |= {"seed": job.seed} if columns.seeds else {}
            row |= {"state": job.state} | dict(zip(columns.metrics, found, strict=True))
            row |= {"transductive": yes(job.transductive)} if columns.transductive else {}
            rows.append(row | {"seconds": job.seconds, "error": job.error, "run_id": job.run_id})
    names = ["number", *columns.keys.values(), *(["seed"] if columns.seeds else []), "state", *columns.metrics]
    names += ["transductive"] if columns.transductive else []
    frame = pd.DataFrame(rows, columns=[*names, "seconds", "error", "run_id"])
    frame = frame.sort_values("number", kind="stable", ignore_index=True)
    return frame.astype({"seed": "Int64"}) if columns.seeds else frame


def points_table(results: SweepResults) -> pd.DataFrame:
    """Return one row per point.

    The columns are swept keys, n (finished jobs), mean and standard deviation of each metric, transductive (if some
    are), states and jobs.
    """
    columns = Columns.of(results)
    rows = []
    for point in results.points():
        row: dict[str, Any] = columns.key_cells(point) | {"n": point.n}
        nothing = [None] * len(results.metrics)
        found = list(zip(point.values or nothing, point.deviations or nothing, strict=True))
        for name, (mean, deviation) in zip(
            columns.metrics, [*found, *(over_seeds(point, metric) for metric in columns.further)], strict=True
        ):
            row |= {name: mean, f"{name} sd": deviation}
        row |= {"transductive": yes(point.transductive)} if columns.transductive else {}
        jobs = " ".join(str(job.number) for job in point.jobs)
        rows.append(row | {"states": count_states(point.states), "jobs": jobs})
    both = [column for name in columns.metrics for column in (name, f"{name} sd")]
    both += ["transductive"] if columns.transductive else []
    return pd.DataFrame(rows, columns=[*columns.keys.values(), "n", *both, "states", "jobs"])


def yes(value: bool | None) -> str:
    """Return `yes`, or nothing."""
    return "yes" if value else ""


def ranked_points(results: SweepResults) -> list[PointResult]:
    """Return the points, the best first, those without a result last."""
    sign = -1 if results.directions[0] == "maximize" else 1
    best = results.best()

    def place(point: PointResult) -> tuple[bool, bool, float]:
        is_best = best is not None and point.overrides == best.overrides
        return (point.values is None, not is_best, sign * point.values[0] if point.values else 0.0)

    return sorted(results.points(), key=place)


def format_mean_and_deviation(point: PointResult, index: int) -> str:
    """Return the metric of number `index` over the seeds, such as `0.8712 ± 0.0103`; empty without a result."""
    if point.values is None:
        return ""
    return format_over_seeds(point.values[index], point.deviations[index] if point.deviations else None)


def format_over_seeds(mean: float | None, deviation: float | None) -> str:
    """Return mean and standard deviation as `0.8712 ± 0.0103`; the mean alone without a deviation."""
    return format_metric(mean) + ("" if deviation is None else f" ± {format_metric(deviation)}")


def format_metric(value: float | None) -> str:
    """Return a metric with four decimals, or with four digits if it is too small or too large for that."""
    if value is None:
        return ""
    return f"{value:.4f}" if value == 0 or 0.001 <= abs(value) < 10_000 else f"{value:.4g}"


def over_seeds(point: PointResult, metric: str) -> tuple[float | None, float | None]:
    """Return mean and standard deviation of a further metric over the finished jobs of a point."""
    found = [job.metrics[metric] for job in point.jobs if job.state == "finished" and metric in job.metrics]
    return (statistics.fmean(found) if found else None), (statistics.stdev(found) if len(found) > 1 else None)
