"""How far a sweep is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from optuna.trial import FrozenTrial

from sentexp.sweep.job_record import STATES, JobRecord
from sentexp.sweep.point import Point
from sentexp.sweep.storage import jobs_of, point_of


@dataclass(frozen=True)
class SweepProgress:
    """Counts of jobs by their state, and the best point so far."""

    total: int
    finished: int
    running: int
    failed: int
    pruned: int
    best: float | None
    """First metric of the best point, mean over its seeds."""
    best_point: Point | None
    seconds: float | None
    """Mean duration of the jobs that have ended."""

    @staticmethod
    def of(trials: Iterable[FrozenTrial], total: int, direction: str, first: int) -> SweepProgress:
        """Count the jobs of trials that no retry has superseded.

        Failures in trials with a number below `first` count as waiting: they are to be tried again.
        """
        states = dict.fromkeys(STATES, 0)
        seconds: list[float] = []
        best: tuple[float, Point] | None = None
        sign = 1 if direction == "maximize" else -1
        for trial in trials:
            jobs = jobs_of(trial)
            for job in jobs:
                again = job.state == "failed" and trial.number < first
                states["waiting" if again else job.state] += 1
                if job.seconds is not None:
                    seconds.append(job.seconds)
            values = [job.values[0] for job in jobs if job.values is not None]
            if values and all(job.state in ("finished", "failed") for job in jobs):
                mean = fmean(values)
                if best is None or sign * mean > sign * best[0]:
                    best = mean, point_of(trial)
        return SweepProgress(
            total=total,
            finished=states["finished"],
            running=states["running"],
            failed=states["failed"],
            pruned=states["pruned"],
            best=best[0] if best else None,
            best_point=best[1] if best else None,
            seconds=fmean(seconds) if seconds else None,
        )

    @property
    def ended(self) -> int:
        return self.finished + self.failed + self.pruned

    def __str__(self) -> str:
        """Return the counts, such as `12/40, 2 running, 1 failed`."""
        counts = [f"{self.ended}/{self.total}"]
        for count, state in ((self.running, "running"), (self.failed, "failed"), (self.pruned, "pruned")):
            counts += [f"{count} {state}"] if count else []
        return ", ".join(counts)

    def best_so_far(self) -> str:
        if self.best is None or self.best_point is None:
            return ""
        return f"best so far {self.best:.4f} ({self.best_point.short or 'no override'})"

    def time_left(self, side_by_side: int) -> str:
        """Estimate the time that is left, from the mean duration of a job; `side_by_side` jobs run at a time."""
        if self.seconds is None or self.ended >= self.total:
            return ""
        seconds = self.seconds * (self.total - self.ended) / side_by_side
        return f"about {duration(seconds)} left" if seconds >= 1 else ""


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it: 12 s, 3 min, 1.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ended_line(job: JobRecord) -> str:
    """Return the line that tells how a job ended: `job 3  model.num_layers=2  finished 0.8712  12 s`."""
    parts = [f"job {job.number}", job.point.short, job.state]
    if job.values is not None:
        parts[-1] += " " + " ".join(f"{value:.4f}" for value in job.values)
    elif job.state == "failed":
        parts[-1] += f": {job.error}"
    parts += [duration(job.seconds)] if job.seconds is not None else []
    return "  ".join(part for part in parts if part)
