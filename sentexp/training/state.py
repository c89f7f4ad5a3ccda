"""Everything that changes while a model is trained, in one place.

The order of batches and the random numbers of dropout are functions of (seed, epoch, step), so no generator's state
belongs here: these fields are all that a training must remember to go on exactly.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


@dataclass
class Clock:
    """Counts the seconds of what may stop in one process and go on in another."""

    seconds: float = 0.0
    """Those that were spent before `began`."""
    began: float = field(default_factory=time.perf_counter)

    def spent(self) -> float:
        """Return the seconds spent until now."""
        return self.seconds + time.perf_counter() - self.began


@dataclass
class Best:
    """The weights that are kept: of the epoch with the highest validation accuracy, among equals the lowest loss."""

    epoch: int
    """Counted from 1."""
    accuracy: float | None
    """Validation accuracy; None where there are no labels, or no validation split."""
    loss: float | None
    """Validation loss; None where there is no validation split."""
    weights: dict[str, Tensor]
    """The model's state_dict, copied to the CPU."""


@dataclass
class EpochSums:
    """What an epoch under way has gathered."""

    steps: int = 0
    """Steps of this epoch done."""
    size: int = 0
    """Reviews (or tokens) in these steps."""
    unlabelled: int = 0
    """Unlabelled reviews in them."""
    loss: float = 0.0
    """Sum over `size`."""
    correct: float = 0.0
    """Correct answers among `size`."""
    terms: list[float] = field(default_factory=list)
    """The sum of each further term of the objective."""
    untold_loss: float = 0.0
    """Sum of the losses since the last point was told."""
    untold_size: int = 0
    clock: Clock = field(default_factory=Clock)


@dataclass
class TrainState:
    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler | ReduceLROnPlateau
    steps: int
    """Steps of the whole training."""
    epoch: int = 0
    """Epochs begun."""
    sums: EpochSums | None = None
    """None between two epochs."""
    step: int = 0
    """Steps done, over all epochs."""
    last_rate: float = 0.0
    """Learning rate of the last step done."""
    best: Best | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per epoch; see `FitResult.history`."""
    averages: dict[str, Tensor] = field(default_factory=dict)
    """With trainer.ema the moving average of each parameter, in the order of the parameters."""
    carried: Tensor | None = None
    """What the next step begins with beside the weights; see `Work.carried`."""
    parts: int = 1
    """Parts in which a batch is computed, one after the other; see trainer.on_oom."""
    told: int = 0
    """Entries of the history of which the caller has been told."""
    clock: Clock = field(default_factory=Clock)

    def keep_best(self, accuracy: float | None, loss: float | None, *, last: bool = False) -> None:
        """Remember the present weights if they are the best so far; with `last`, in any case."""
        best = self.best
        if last or best is None or (accuracy or 0.0, -(loss or 0.0)) > (best.accuracy or 0.0, -(best.loss or 0.0)):
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best = Best(self.epoch, accuracy, loss, weights)

    def average(self, decay: float) -> None:
        """Move the averages of the weights towards the present ones, after a step.

        They begin with the first weights and follow fast at first: the decay is at most (1 + step) / (10 + step), as in
        tf.train.ExponentialMovingAverage.
        """
        decay = min(decay, (1 + self.step) / (10 + self.step))
        present = [parameter.detach() for parameter in self.model.parameters()]
        torch._foreach_lerp_(list(self.averages.values()), present, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model the averages of its weights, if there are any, within the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self.model.named_parameters() if self.averages else ():
            parameter.data, self.averages[name] = self.averages[name], parameter.data
