"""The progress of a training: one plain line per epoch, and on a terminal a live bar under it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

REFRESH_SECONDS = 0.25


class TrainingProgress:
    """Passes each epoch's line to `write`, and shows a bar meanwhile if `console` is a terminal.

    The bar is gone when the line is written, so that `write` may be anything, such as a logger's `info`.
    """

    def __init__(self, write: Callable[[str], object], console: Console | None = None) -> None:
        self._write = write
        self._bar = _Bar(console) if console is not None and console.is_terminal else None

    def start_epoch(self, epoch: int, epochs: int, size: int, unit: str, steps_left: int) -> None:
        """Begin an epoch of `size` reviews (or tokens, as `unit` says).

        `steps_left` counts the steps of the whole training, this epoch's included.
        """
        if self._bar is not None:
            self._bar.start(f"epoch {epoch}/{epochs}", size, unit, steps_left)

    def step(self, steps: int, size: int, metrics: dict[str, float]) -> None:
        """Add `steps` with `size` reviews (or tokens); `metrics` are those of the epoch so far."""
        if self._bar is not None:
            self._bar.step(steps, size, metrics)

    def end_epoch(self, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Remove the bar and write the epoch's line; `metrics` is its entry in the history."""
        self.close()
        self._write(epoch_line(epoch, epochs, metrics))

    def close(self) -> None:
        """Remove the bar, if one is shown."""
        if self._bar is not None:
            self._bar.stop()


def epoch_line(epoch: int, epochs: int, metrics: dict[str, float]) -> str:
    """Return `epoch 1/3  train loss 0.6931 acc 0.5035  valid loss 0.6933 acc 0.4931  42 s`: it fits 80 columns."""
    parts = [f"epoch {epoch}/{epochs}"]
    for split in ("train", "valid"):
        if f"{split}/loss" in metrics:
            parts.append(f"{split} {_figures(split, metrics)}")
    parts.append(f"{metrics['seconds']:.0f} s" if metrics["seconds"] >= 10 else f"{metrics['seconds']:.1f} s")
    return "  ".join(parts)


def _figures(split: str, metrics: dict[str, float]) -> str:
    loss = f"loss {metrics[f'{split}/loss']:.4f}"
    if f"{split}/perplexity" in metrics:
        return f"{loss} ppl {metrics[f'{split}/perplexity']:.2f}"
    return f"{loss} acc {metrics[f'{split}/accuracy']:.4f}"


class _Bar:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Progress | None = None

    def start(self, title: str, size: int, unit: str, steps_left: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[so_far]}"),
        )
        # why no refresh thread: it would take the core that trains, whenever it likes
        live = Progress(*columns, console=self._console, transient=True, auto_refresh=False)
        self._task = live.add_task(title, total=size, so_far="")
        live.start()
        self._live = live
        self._began = self._shown = time.perf_counter()
        self._done = self._steps = 0
        self._steps_left = steps_left
        self._unit = unit

    def step(self, steps: int, size: int, metrics: dict[str, float]) -> None:
        self._done += size
        self._steps += steps
        now = time.perf_counter()
        if self._live is None or now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        seconds = now - self._began
        left = seconds / self._steps * (self._steps_left - self._steps)
        so_far = f"{_figures('train', metrics)}  {self._done / seconds:,.0f} {self._unit}/s  {_clock(left)} left"
        self._live.update(
            self._task,
            completed=self._done,
            so_far=so_far,
            refresh=True,
        )

    def stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
