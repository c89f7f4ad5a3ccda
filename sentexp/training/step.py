"""The gradients of one training step."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from sentexp.batches import Batch, seed_of
from sentexp.failures import lacks_memory
from sentexp.training.losses import correct, loss_sum
from sentexp.training.processes import Group
from sentexp.training.recipe import Recipe
from sentexp.training.state import TrainState

log = logging.getLogger(__name__)

# Shapes: B reviews in a batch, C classes


def gradients(
    state: TrainState,
    parameters: Sequence[Parameter],
    batch: Batch,
    reviews: int,
    group: Group,
    recipe: Recipe,
    weights: Tensor | None,
) -> Tensor:
    """Give `parameters` the gradients of one step over `reviews`, of which `batch` are this process's share.

    They are those of the mean loss over all the reviews of the step, summed over the processes; `weights` [C] are those
    of the classes. With trainer.on_oom=halve the batch is computed in twice as many parts, one after the other, each
    time that memory does not suffice: the gradients are the same but for rounding and dropout.

    Returns the sum of losses and the number of correct answers of all processes, [2]. Raises PeerLost if another
    process does not answer.
    """
    return group.sum_gradients(parameters, _of_share(state, batch, reviews, group.rank, recipe, weights))


def _of_share(
    state: TrainState, batch: Batch, reviews: int, rank: int, recipe: Recipe, weights: Tensor | None
) -> Tensor:
    device = batch.labels.device
    while True:
        _reseed(device, seed_of(recipe.seed, state.epoch, state.step, rank))
        state.optimizer.zero_grad(set_to_none=True)
        of_step = torch.zeros(2, device=device)
        try:
            for ids, lengths, labels in zip(*(part.tensor_split(state.parts) for part in batch), strict=True):
                if not len(labels):
                    continue
                with recipe.machine.autocast():
                    logits = state.model(ids, lengths)  # [B] or [B, C]
                loss = loss_sum(logits, labels, recipe.trainer.label_smoothing, weights)
                (loss / reviews).backward()
                of_step += torch.stack([loss.detach(), correct(logits, labels).float()])
            return of_step
        except Exception as error:
            can_be_halved = recipe.trainer.on_oom == "halve" and state.parts < len(batch.labels)
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
