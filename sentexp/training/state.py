"""Everything that changes while a model is trained, in one place.

The order of batches and the random numbers of dropout are functions of (seed, epoch, step), so no generator's state
belongs here: these fields are all that a training must remember to go on exactly.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


@dataclass
class Best:
    """The weights after the epoch with the highest validation accuracy, among equals the lowest loss."""

    epoch: int
    """Counted from 1."""
    accuracy: float
    """Validation accuracy."""
    loss: float
    """Validation loss."""
    weights: dict[str, Tensor]
    """The model's state_dict, copied to the CPU."""


@dataclass
class EpochSums:
    """What an epoch under way has gathered."""

    steps: int = 0
    """Steps of this epoch done."""
    reviews: int = 0
    loss: float = 0.0
    """Sum over these reviews."""
    correct: float = 0.0
    """Correct answers among them."""
    untold_loss: float = 0.0
    """Sum over the reviews since the last point of the loss was told."""
    untold_reviews: int = 0
    seconds: float = 0.0
    """Time spent on this epoch before `began`."""
    began: float = field(default_factory=time.perf_counter)

    def spent(self) -> float:
        """Return the seconds spent on this epoch until now."""
        return self.seconds + time.perf_counter() - self.began


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
    parts: int = 1
    """Parts in which a batch is computed, one after the other; see trainer.on_oom."""
    told: int = 0
    """Entries of the history of which the caller has been told."""
    seconds: float = 0.0
    """Time spent on the training before `began`."""
    began: float = field(default_factory=time.perf_counter)

    def spent(self) -> float:
        """Return the seconds spent on the training until now."""
        return self.seconds + time.perf_counter() - self.began

    def keep_best(self, accuracy: float, loss: float) -> None:
        """Remember the present weights if they are the best so far."""
        best = self.best
        if best is None or (accuracy, -loss) > (best.accuracy, -best.loss):
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best = Best(self.epoch, accuracy, loss, weights)
