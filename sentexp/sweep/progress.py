"""How far a sweep is, and what a person sees of it while it runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

from optuna.trial import FrozenTrial

from sentexp import terminal
from sentexp.sweep.plan import Point
from sentexp.sweep.storage import ENDED, Entry, entries, point_of

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class SweepProgress:
    total: int
    finished: int
    running: int
    failed: int
    pruned: int
    best: float | None
    """Of the first metric, mean over the seeds of a point."""
    best_point: Point
    seconds: float | None
    """Mean of a job that has ended."""

    @property
    def ended(self) -> int:
        return self.finished + self.failed + self.pruned

    def __str__(self) -> str:
        counts = [f"{self.ended}/{self.total}"]
        for count, word in ((self.running, "running"), (self.failed, "failed"), (self.pruned, "pruned")):
            counts += [f"{count} {word}"] if count else []
        return ", ".join(counts)

    def best_so_far(self) -> str:
        return (
            "" if self.best is None else f"best so far {self.best:.4f} ({' '.join(self.best_point) or 'no override'})"
        )

    def time_left(self, side_by_side: int) -> str:
        if self.seconds is None or self.ended >= self.total:
            return ""
        seconds = self.seconds * (self.total - self.ended) / side_by_side
        return f"about {duration(seconds)} left" if seconds >= 1 else ""


def tally(trials: Iterable[FrozenTrial], total: int, direction: str, first: int) -> SweepProgress:
    """Of trials none of which another has taken the place of. Jobs before `first` that failed are to be run again."""
    states = dict.fromkeys(("waiting", "running", *ENDED), 0)
    seconds: list[float] = []
    best: tuple[float, Point] | None = None
    sign = 1 if direction == "maximize" else -1
    for trial in trials:
        found = entries(trial).values()
        for entry in found:
            again = entry["state"] == "failed" and entry["number"] < first
            states["waiting" if again else entry["state"]] += 1
            if entry.get("seconds") is not None:
                seconds.append(entry["seconds"])
        values = [entry["values"][0] for entry in found if entry["state"] == "finished"]
        if values and all(entry["state"] in ("finished", "failed") for entry in found):
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
        best_point=best[1] if best else (),
        seconds=fmean(seconds) if seconds else None,
    )


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ended_line(point: Sequence[str], entry: Entry) -> str:
    """`job 3  model.num_layers=2  finished 0.8712  12 s`."""
    words = [f"job {entry['number']}", " ".join(point), entry["state"]]
    if entry["state"] == "finished":
        words[-1] += " " + " ".join(f"{value:.4f}" for value in entry["values"])
    elif entry["state"] == "failed":
        words[-1] += f": {entry['error']}"
    words += [duration(entry["seconds"])] if entry.get("seconds") is not None else []
    return "  ".join(word for word in words if word)


@contextmanager
def watched(
    now: Callable[[], SweepProgress], trials: Callable[[], list[FrozenTrial]], side_by_side: int
) -> Iterator[None]:
    """While jobs run elsewhere: a line for each that ends, and on a terminal a live one under them."""
    shown = {(trial.number, index) for trial in trials() for index, entry in entries(trial).items() if _over(entry)}
    over = threading.Event()
    live = terminal.console().is_terminal

    def ended() -> Iterator[str]:
        for trial in trials():
            for index, entry in entries(trial).items():
                if _over(entry) and (trial.number, index) not in shown:
                    shown.add((trial.number, index))
                    yield ended_line(point_of(trial), entry)

    def line() -> str:
        current = now()
        parts = (str(current), current.best_so_far(), current.time_left(side_by_side))
        return "  ".join(part for part in parts if part)

    def follow() -> None:
        if not live:
            while not over.wait(POLL_SECONDS):
                for text in ended():
                    log.info(text)
            return
        with terminal.console().status(line()) as status:
            while not over.wait(POLL_SECONDS):
                for text in ended():
                    terminal.console().print(text, markup=False, highlight=False)
                status.update(line())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for text in ended():
            log.info(text)


def _over(entry: Entry) -> bool:
    return entry["state"] in ENDED
