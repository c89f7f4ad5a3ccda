"""The gradients of one training step."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from sentexp.batches import seed_of
from sentexp.failures import lacks_memory
from sentexp.training.processes import Group
from sentexp.training.recipe import Recipe
from sentexp.training.state import TrainState
from sentexp.training.work import Step, Work

log = logging.getLogger(__name__)


def gradients(
    state: TrainState, parameters: Sequence[Parameter], work: Work, step: Step, group: Group, recipe: Recipe
) -> Tensor:
    """Give `parameters` the gradients of one step, summed over the processes.

    With trainer.on_oom=halve the step is computed in twice as many parts, one after the other, each time that memory
    does not suffice: the gradients are the same but for rounding and dropout.

    Returns what `Work.add_gradients` returns, summed as well. Raises PeerLost if another process does not answer.
    """
    return group.sum_gradients(parameters, _of_share(state, work, step, group.rank, recipe))


def _of_share(state: TrainState, work: Work, step: Step, rank: int, recipe: Recipe) -> Tensor:
    device = recipe.machine.device
    while True:
        _reseed(device, seed_of(recipe.seed, state.epoch, state.step, rank))
        state.optimizer.zero_grad(set_to_none=True)
        try:
            return work.add_gradients(step, state.parts)
        except Exception as error:
            can_be_halved = recipe.trainer.on_oom == "halve" and state.parts < len(step.batch[0])
            if not (lacks_memory(error) and can_be_halved):
                raise
        state.parts *= 2
        log.warning("out of memory at step %s: batches are computed in %d parts now", state.step + 1, state.parts)
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _reseed(device: torch.device, seed: int) -> None:
    """Seed the generator that dropout draws from; one seed per step lets a training go on from any step."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
