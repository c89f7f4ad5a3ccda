"""What a training tells its caller as it goes on: epochs, losses of steps, progress, checkpoints, and divergence."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sentexp.errors import TrainingDiverged
from sentexp.machine.signals import Delayed
from sentexp.training.checkpoints import Checkpoints
from sentexp.training.progress import TrainingProgress
from sentexp.training.recipe import Recipe
from sentexp.training.state import EpochSums, TrainState
from sentexp.training.work import Metrics, Step, Work

STEPS_PER_FETCH = {"cpu": 1, "cuda": 50}
"""Steps between two fetches of the losses: each waits until a GPU has done all that it has been given to do."""


@dataclass(frozen=True)
class Told:
    """What is told, and kept, of the training as it goes on; nothing in a further process."""

    on_epoch: Callable[[Metrics, int], object] | None = None
    on_steps: Callable[[int, float], object] | None = None
    progress: TrainingProgress | None = None
    checkpoints: Checkpoints | None = None

    def epoch(self, state: TrainState, interrupts: Delayed) -> None:
        """Call `on_epoch`, which may take long, for the last entry of the history; an interrupt takes effect at once.

        It leaves a checkpoint then.
        """
        try:
            with interrupts.not_delayed():
                if self.on_epoch is not None:
                    self.on_epoch(state.history[-1], state.epoch)
                state.told = len(state.history)
        except (KeyboardInterrupt, SystemExit):
            self.save(state)
            raise

    def save(self, state: TrainState) -> None:
        """Write a checkpoint, if any are kept."""
        if self.checkpoints is not None:
            self.checkpoints.save(state)


class FetchedSums:
    """Adds what each step has returned to the sums of the epoch, fetched from the device every few steps."""

    def __init__(
        self, state: TrainState, sums: EpochSums, work: Work, recipe: Recipe, device: torch.device, told: Told
    ) -> None:
        self._state = state
        self._sums = sums
        self._work = work
        self._recipe = recipe
        self._steps_per_fetch = STEPS_PER_FETCH[device.type]
        self._told = told
        self._waiting: list[tuple[Tensor, Step]] = []

    def add(self, of_step: Tensor, step: Step) -> None:
        """Add one step, of which `of_step` is what `Work.add_gradients` has returned, summed over the processes."""
        self._waiting.append((of_step, dataclasses.replace(step, batch=None, unlabelled_batch=None)))
        if len(self._waiting) == self._steps_per_fetch:
            self.fetch()

    def fetch(self) -> None:
        """Bring the sums up to the last step. Raises TrainingDiverged for a loss that is not finite."""
        if not self._waiting:
            return
        first_step = self._state.step - len(self._waiting) + 1
        fetched = torch.stack([of_step for of_step, _ in self._waiting]).tolist()
        steps = [step for _, step in self._waiting]
        self._waiting.clear()
        sums = self._sums
        for number, step, (loss, right, *terms) in zip(itertools.count(first_step), steps, fetched, strict=False):
            for value in (loss, *terms):
                if not math.isfinite(value):
                    raise diverged("training loss", value, self._state, self._recipe, number)
            sums.loss += loss
            sums.correct += right
            sums.terms = [total + term for total, term in zip(sums.terms or [0.0] * len(terms), terms, strict=True)]
            sums.size += step.size
            sums.unlabelled += step.unlabelled
            self._tell_of(number, loss, step.size)
        sums.steps += len(steps)
        if self._told.progress is not None:
            size = sum(step.size for step in steps)
            self._told.progress.step(len(steps), size, self._work.trained(sums))

    def _tell_of(self, step: int, loss: float, size: int) -> None:
        every = self._recipe.trainer.log_every
        if self._told.on_steps is None or not every:
            return
        sums = self._sums
        sums.untold_loss += loss
        sums.untold_size += size
        if step % every == 0:
            self._told.on_steps(step, sums.untold_loss / sums.untold_size)
            sums.untold_loss, sums.untold_size = 0.0, 0


def diverged(what: str, value: float, state: TrainState, recipe: Recipe, step: int | None = None) -> TrainingDiverged:
    """Return the error for a loss that is not finite, `what` with this `value`: where it was met, and what may help.

    `step` is None for the last step done.
    """
    rate = state.optimizer.param_groups[0].get("initial_lr", state.optimizer.defaults["lr"])
    clip_norm = recipe.trainer.clip_norm
    remedies = [f"a lower optimizer.lr (now {rate:g})"]
    if clip_norm == 0:
        remedies.append("trainer.clip_norm=1 (now 0, no clipping)")
    elif clip_norm > 1:
        remedies.append(f"a lower trainer.clip_norm (now {clip_norm:g})")
    if recipe.machine.precision != torch.float32:
        remedies.append("trainer.precision=fp32 (now bf16)")
    where = f"epoch {state.epoch}, step {state.step if step is None else step} of {state.steps}"
    return TrainingDiverged(f"the {what} is {value} at {where}; likely remedies: {', '.join(remedies)}")
