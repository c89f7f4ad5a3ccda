"""The learning rate over time. Each takes the optimizer, whose `lr` is the peak, and the number of steps to
come.

All but `plateau` move with each step; `plateau` moves with each epoch, by the validation loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau


def constant(optimizer: Optimizer, steps: int, steps_per_epoch: int, warmup: float = 0.0) -> LRScheduler:
    """The peak rate, after a linear growth over the first `warmup` (a share) of all steps."""
    return _by_step(optimizer, _warmed(int(warmup * steps), lambda step: 1.0))


def cosine(
    optimizer: Optimizer, steps: int, steps_per_epoch: int, warmup: float = 0.05, final_fraction: float = 0.0
) -> LRScheduler:
    """Linear growth over `warmup` of all steps, then half a cosine down to `final_fraction` of the peak in
    the last.

    After Loshchilov & Hutter (2017), without restarts.
    """
    growing = int(warmup * steps)
    falling = max(1, steps - 1 - growing)
    return _by_step(optimizer, _warmed(growing, lambda step: _between(1.0, final_fraction, (step - growing) / falling)))


def one_cycle(
    optimizer: Optimizer,
    steps: int,
    steps_per_epoch: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> LRScheduler:
    """Half a cosine from peak / `div_factor` up to the peak in `pct_start` of the steps, then one down to
    peak / `div_factor` / `final_div_factor`.

    The rates of torch's OneCycleLR (Smith & Topin, 2018). Not that class itself, because it also moves the
    momentum away from what the configuration says, and divides by zero where `pct_start * steps` is 1.
    """
    top = max(0.0, pct_start * steps - 1)  # the step of the peak
    first, last = 1 / div_factor, 1 / div_factor / final_div_factor

    def factor(step: int) -> float:
        if step < top:
            return _between(first, 1.0, step / top)
        return _between(1.0, last, (step - top) / max(1.0, steps - 1 - top))

    return _by_step(optimizer, factor)


def plateau(
    optimizer: Optimizer,
    steps: int,
    steps_per_epoch: int,
    factor: float = 0.5,
    patience: int = 1,
    min_lr: float = 1e-5,
) -> ReduceLROnPlateau:
    """The rate times `factor`, never below `min_lr`, once the validation loss has not fallen in more than
    `patience` epochs.
    """
    return ReduceLROnPlateau(optimizer, mode="min", factor=factor, patience=patience, min_lr=min_lr)


def _by_step(optimizer: Optimizer, factor: Callable[[int], float]) -> LRScheduler:
    return LambdaLR(optimizer, factor)


def _warmed(growing: int, factor: Callable[[int], float]) -> Callable[[int], float]:
    return lambda step: (step + 1) / (growing + 1) if step < growing else factor(step)


def _between(start: float, end: float, share: float) -> float:
    """From `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
