"""The recipe of a training: everything but the model and the reviews."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from sentexp.batches import endless, plan, seed_of
from sentexp.machine.choose import Machine
from sentexp.machine.workload import Workload
from sentexp.schema import INTERVALS, TrainerConfig
from sentexp.text.corpus import Corpus
from sentexp.training.objective import Objective
from sentexp.training.processes import Group
from sentexp.training.work import Corpora, Work

Schedule = LRScheduler | ReduceLROnPlateau


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. With several processes it is pickled.

    Raises ValueError for an `interval` that is neither step nor epoch.
    """

    optimizer: Callable[..., Optimizer]
    """Called with the list of the model's parameters. Its learning rate is the schedule's peak."""
    schedule: Callable[..., Schedule]
    """Called with the optimizer and, if its signature names them, `total_steps` and `steps_per_epoch`; see
    `sentexp.training.schedules.build_schedule`."""
    machine: Machine
    """Where the training runs."""
    trainer: TrainerConfig
    """Epochs, sizes of batches, clipping, label smoothing and early stopping. Its device, precision, processes and
    threads are not used: they have become `machine`."""
    seed: int
    """Seed of the order of batches and of dropout."""
    objective: Objective = Objective()
    """The terms that are lowered beside the loss of the labelled reviews."""
    task: Task | None = None
    """What the model is trained for; None: to tell labels."""
    interval: str = "step"
    """When the schedule moves: after each `step`, or after each `epoch`. ReduceLROnPlateau always moves per epoch."""

    def __post_init__(self) -> None:
        if self.interval not in INTERVALS:
            raise ValueError(f"interval={self.interval}: expected {' or '.join(INTERVALS)}")

    def plan(self, corpus: Corpus, epoch: int) -> list[Tensor]:
        """Return the row numbers of each batch of `epoch`, counted from 1; 0 is for splits that are not trained on."""
        trainer = self.trainer
        if trainer.epoch_steps is None or epoch == 0:
            return self._pass(corpus, epoch)
        passes = endless(functools.partial(self._pass, corpus), first=(epoch - 1) * trainer.epoch_steps)
        return list(islice(passes, trainer.epoch_steps))

    def _pass(self, corpus: Corpus, number: int) -> list[Tensor]:
        trainer = self.trainer
        return plan(
            corpus,
            batch_size=trainer.batch_size,
            max_tokens=trainer.max_tokens,
            bucket=trainer.bucket,
            balanced=trainer.sampling == "balanced" and number > 0,
            seed=self.seed,
            epoch=number,
        )

    def plan_unlabelled(self, corpus: Corpus, number: int) -> list[Tensor]:
        """Return the row numbers of each batch of pass `number`, counted from 1, through unlabelled reviews."""
        return plan(
            corpus,
            batch_size=self.objective.unlabelled_batch_size,
            max_tokens=self.trainer.max_tokens,
            bucket=self.trainer.bucket,
            seed=seed_of(self.seed, 1),
            epoch=number,
        )


class Task(Protocol):
    """What a model is trained for; the `_target_` of an option of the group task. Further processes unpickle it."""

    def model(self, classifier: nn.Module) -> nn.Module:
        """Return the model that is trained: `classifier`, or one that is made of parts of it.

        Raises SentexpError for a classifier without these parts.
        """

    def workload(self, model: nn.Module, corpora: Corpora, trainer: TrainerConfig) -> Workload:
        """Return the size of the training."""

    def work(self, model: nn.Module, corpora: Corpora, recipe: Recipe, group: Group, device: torch.device) -> Work:
        """Return the work of one process of `group`, with `model` on its `device`.

        Raises SentexpError for a split that is too small.
        """
