"""Everything that changes while a model is trained, in one place.

The order of batches and the random numbers of dropout are functions of (seed, epoch, step), so no generator's state
belongs here: these fields are all that a training must remember to go on exactly.
"""

from __future__ import annotations

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
class TrainState:
    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler | ReduceLROnPlateau
    steps: int
    """Steps of the whole training."""
    epoch: int = 0
    """Epochs done."""
    step: int = 0
    """Steps done, over all epochs."""
    last_rate: float = 0.0
    """Learning rate of the last step done."""
    best: Best | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per epoch; see `FitResult.history`."""

    def keep_best(self, accuracy: float, loss: float) -> None:
        """Remember the present weights if they are the best so far."""
        best = self.best
        if best is None or (accuracy, -loss) > (best.accuracy, -best.loss):
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best = Best(self.epoch, accuracy, loss, weights)
