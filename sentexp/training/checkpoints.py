"""Checkpoints of a training: when one is written, what is in it, and how a training takes it up again."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sentexp import checkpoint_files
from sentexp.errors import SentexpError, one_line
from sentexp.tensors import read_tensors, write_tensors
from sentexp.training.state import Best, Clock, EpochSums, TrainState

log = logging.getLogger(__name__)

SHARE = 0.01
"""Share of the training's time that checkpoints may take; where they take long they are written less often."""

Saved = dict[str, Any]
"""What a checkpoint remembers of a TrainState, as tensors, numbers, texts, lists and dicts."""


class Checkpoints:
    """Writes the checkpoints of one training to `output`, the run's folder, with `facts` by which it is found again.

    One is written after `minutes` at most, None for never by time, and with 0 after each step; and after every `every`
    epochs.

        checkpoints = Checkpoints(Path("outputs/mine"), minutes=5)
        fit(model, train, valid, recipe, checkpoints=checkpoints)
    """

    def __init__(
        self,
        output: Path,
        facts: Mapping[str, Any] | None = None,
        *,
        minutes: float | None = 3.0,
        every: int | None = None,
    ) -> None:
        self._output = output
        self._facts = dict(facts or {})
        self._minutes = minutes
        self._every = every
        self._last, self._cost = time.monotonic(), 0.0
        self.before: Callable[[], object] = lambda: None
        """Called before each is written: what it sends belongs to the steps that the checkpoint has."""
        self.step: int | None = None
        """Step of the newest checkpoint that this object has written."""

    def due(self) -> bool:
        """Return True if the next one should be written now."""
        if self._minutes is None:
            return False
        wait = max(60 * self._minutes, self._cost / SHARE) if self._minutes else 0.0
        return time.monotonic() - self._last >= wait

    def after_epoch(self, state: TrainState) -> None:
        """Write one if it is due, or asked for after this epoch."""
        if self.due() or (self._every is not None and state.epoch % self._every == 0):
            self.save(state)

    def save(self, state: TrainState) -> None:
        """Write a checkpoint. If that fails it is said, and the one before stays; the training goes on."""
        began = time.monotonic()
        self.before()
        try:
            saved = saved_of(state)
            checkpoint_files.write(self._output, state.step, lambda path: write_tensors(saved, path), self._facts)
            self.step = state.step
        except (OSError, SentexpError) as error:
            left = "none is there" if self.step is None else f"that of step {self.step:,} stays"
            log.warning("checkpoint: step %s not saved in %s (%s); %s", state.step, self._output, one_line(error), left)
        self._last = time.monotonic()
        self._cost = self._last - began

    def end(self) -> None:
        """Remove the checkpoints of a run that has all that it needs, unless they were asked for by epochs."""
        if self._every is None:
            checkpoint_files.remove(self._output)


def read_state(path: Path) -> Saved:
    """Return the state in a checkpoint's file; nothing but tensors and plain values is unpickled.

    Raises SentexpError if it is none.
    """
    saved = read_tensors(path)
    expected = {field.name for field in dataclasses.fields(TrainState)} - NOT_SAVED | {"seconds"}
    if not isinstance(saved, dict) or set(saved) != expected:
        raise SentexpError(f"{path}: not a checkpoint of this version; expected {', '.join(sorted(expected))}")
    return saved


NOT_SAVED = {"steps", "clock"}
"""Fields of TrainState that are known anew, and the clock, of which the seconds are saved."""


def saved_of(state: TrainState) -> Saved:
    """Return what a checkpoint must remember. Raises SentexpError for a part that is more than tensors and numbers."""
    saved: Saved = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "schedule": state.schedule.state_dict(),
    }
    for name, part in saved.items():
        for kind in _foreign(part):
            raise SentexpError(f"the state of the {name} holds a {kind}; expected tensors, numbers and texts")
    sums = None
    if state.sums is not None:
        sums = dict(vars(state.sums))
        sums["seconds"] = sums.pop("clock").spent()
    return {
        **saved,
        "epoch": state.epoch,
        "sums": sums,
        "step": state.step,
        "last_rate": state.last_rate,
        "best": None if state.best is None else dict(vars(state.best)),
        "averages": state.averages,
        "carried": state.carried,
        "history": state.history,
        "told": state.told,
        "parts": state.parts,
        "seconds": state.clock.spent(),
    }


def restore(state: TrainState, saved: Saved) -> None:
    """Bring a fresh state to where the saved one was. Raises SentexpError if model or optimizer have other shapes."""
    try:
        state.model.load_state_dict(saved["model"])
        state.optimizer.load_state_dict(saved["optimizer"])
        state.schedule.load_state_dict(saved["schedule"])
        state.carried = saved["carried"]
        for name, average in saved["averages"].items():
            state.averages[name].copy_(average)
        if saved["sums"] is not None:
            sums = dict(saved["sums"])
            state.sums = EpochSums(clock=Clock(sums.pop("seconds")), **sums)
        state.best = None if saved["best"] is None else Best(**saved["best"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SentexpError(f"the checkpoint is of another model or optimizer ({one_line(error)})") from error
    state.epoch, state.step, state.last_rate = saved["epoch"], saved["step"], saved["last_rate"]
    state.history, state.told = list(saved["history"]), saved["told"]
    state.parts, state.clock = saved["parts"], Clock(saved["seconds"])


def _foreign(value: Any) -> Iterator[str]:
    """Yield the type of each part that `read_state` would refuse to unpickle."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _foreign(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _foreign(part)
    elif not (value is None or isinstance(value, (Tensor, bool, int, float, str))):
        yield type(value).__name__
