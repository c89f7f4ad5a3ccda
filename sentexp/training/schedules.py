"""The learning rate over time: what the `schedule` options configure, and how a recipe's schedule is built.

Each takes the optimizer, whose `lr` is the peak, and those of `total_steps` and `steps_per_epoch` that it names.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau


def build_schedule(
    factory: Callable[..., Any], optimizer: Optimizer, *, total_steps: int, steps_per_epoch: int
) -> LRScheduler | ReduceLROnPlateau:
    """Call `factory` with `optimizer` and those of `total_steps` and `steps_per_epoch` that its signature names.

    What a functools.partial has already set stays. So PyTorch's own schedulers work as they are:

        build_schedule(partial(StepLR, step_size=2), optimizer, total_steps=100, steps_per_epoch=10)
    """
    already = factory.keywords if isinstance(factory, functools.partial) else {}
    known = {"total_steps": total_steps, "steps_per_epoch": steps_per_epoch}
    named = inspect.signature(factory).parameters.keys() - already.keys()
    return factory(optimizer, **{name: value for name, value in known.items() if name in named})


def constant(optimizer: Optimizer, total_steps: int, warmup: float = 0.0) -> LRScheduler:
    """Keep the peak rate, after a linear growth over the share `warmup` of all steps."""
    return _by_step(optimizer, _warmed(int(warmup * total_steps), lambda step: 1.0))


def cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.05, final_fraction: float = 0.0) -> LRScheduler:
    """Grow linearly over the share `warmup` of all steps, then fall along half a cosine to the last step.

    The last rate is `final_fraction` of the peak. After Loshchilov & Hutter (2017), without restarts.
    """
    growing = int(warmup * total_steps)
    falling = max(1, total_steps - 1 - growing)
    return _by_step(optimizer, _warmed(growing, lambda step: _between(1.0, final_fraction, (step - growing) / falling)))


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> LRScheduler:
    """Rise along half a cosine over the share `pct_start` of all steps, then fall along another.

    The rates are peak / `div_factor`, the peak, and peak / `div_factor` / `final_div_factor`: those of torch's
    OneCycleLR (Smith & Topin, 2018). Not that class itself, because it also moves the momentum away from what the
    configuration says, and divides by zero if `pct_start * total_steps` is 1.
    """
    top = max(0.0, pct_start * total_steps - 1)  # the step of the peak
    first, last = 1 / div_factor, 1 / div_factor / final_div_factor

    def factor(step: int) -> float:
        if step < top:
            return _between(first, 1.0, step / top)
        return _between(1.0, last, (step - top) / max(1.0, total_steps - 1 - top))

    return _by_step(optimizer, factor)


def plateau(optimizer: Optimizer, factor: float = 0.5, patience: int = 1, min_lr: float = 1e-5) -> ReduceLROnPlateau:
    """Multiply the rate by `factor` once the validation loss has not fallen in more than `patience` epochs.

    The rate never falls below `min_lr`.
    """
    return ReduceLROnPlateau(optimizer, mode="min", factor=factor, patience=patience, min_lr=min_lr)


def _by_step(optimizer: Optimizer, factor: Callable[[int], float]) -> LRScheduler:
    return LambdaLR(optimizer, factor)


def _warmed(growing: int, factor: Callable[[int], float]) -> Callable[[int], float]:
    return lambda step: (step + 1) / (growing + 1) if step < growing else factor(step)


def _between(start: float, end: float, share: float) -> float:
    """Return the point after `share` of the way from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
