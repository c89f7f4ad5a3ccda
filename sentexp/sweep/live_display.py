"""What the terminal shows while jobs run in other processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from optuna.trial import FrozenTrial

from sentexp import terminal
from sentexp.sweep.progress import SweepProgress, ended_line
from sentexp.sweep.storage import jobs_of

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


@contextmanager
def live_display(
    progress: Callable[[], SweepProgress], trials: Callable[[], list[FrozenTrial]], side_by_side: int
) -> Iterator[None]:
    """Print a line for each job that ends during the block, and on a terminal a live line with the progress below."""
    shown = {(job.trial, job.index) for trial in trials() for job in jobs_of(trial) if job.has_ended}
    over = threading.Event()

    def newly_ended() -> Iterator[str]:
        for trial in trials():
            for job in jobs_of(trial):
                if job.has_ended and (job.trial, job.index) not in shown:
                    shown.add((job.trial, job.index))
                    yield ended_line(job)

    def live_line() -> str:
        now = progress()
        parts = (str(now), now.best_so_far(), now.time_left(side_by_side))
        return "  ".join(part for part in parts if part)

    def follow() -> None:
        if not terminal.console().is_terminal:
            while not over.wait(POLL_SECONDS):
                for text in newly_ended():
                    log.info(text)
            return
        with terminal.console().status(live_line()) as status:
            while not over.wait(POLL_SECONDS):
                for text in newly_ended():
                    terminal.console().print(text, markup=False, highlight=False)
                status.update(live_line())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for text in newly_ended():
            log.info(text)
