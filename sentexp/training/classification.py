"""Training to tell the labels of reviews: the steps of an epoch, their gradients, and the validation."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from sentexp.batches import Batch, Batches, endless, evaluation_plan
from sentexp.machine.workload import Workload
from sentexp.schema import TrainerConfig
from sentexp.training.losses import class_weights, correct, loss_sum
from sentexp.training.objective import Sizes, add_gradients
from sentexp.training.processes import Group
from sentexp.training.recipe import Recipe
from sentexp.training.state import EpochSums, TrainState
from sentexp.training.work import Corpora, Metrics, Step, Stopped, Work

# Shapes: B reviews in a batch, C classes, K terms of the objective


@dataclass(frozen=True)
class ClassificationTask:
    """The `Task` of telling the label of a review."""

    def model(self, classifier: nn.Module) -> nn.Module:
        return classifier

    def workload(self, model: nn.Module, corpora: Corpora, trainer: TrainerConfig) -> Workload:
        lengths, bounds = corpora.train.lengths, (trainer.batch_size, trainer.max_tokens)
        return Workload.of(model, lengths, epochs=trainer.epochs, batch_size=bounds[0], max_tokens=bounds[1])

    def work(self, model: nn.Module, corpora: Corpora, recipe: Recipe, group: Group, device: torch.device) -> Work:
        return Classification(model, corpora, recipe, group, device)


class Classification:
    """The `Work` of a classifier: `model(ids [B, T], lengths [B])` gives logits, [B] for two classes, [B, C] for more.

    `unlabelled` reviews are read if the recipe's objective has a term for them.
    """

    unit = "reviews"
    carried = None

    def __init__(self, model: nn.Module, corpora: Corpora, recipe: Recipe, group: Group, device: torch.device) -> None:
        train, valid, unlabelled = corpora
        self.model = model
        self._train = Batches(train, device=device)
        self._valid = None if valid is None else Batches(valid, device=device)
        reads = unlabelled is not None and len(unlabelled) > 0 and recipe.objective.reads_unlabelled
        self._unlabelled = Batches(unlabelled, device=device) if reads and unlabelled is not None else None
        self._recipe = recipe
        self._group = group
        weights = class_weights(recipe.trainer.class_weight, train.labels)
        self._loss_of = functools.partial(
            loss_sum,
            label_smoothing=recipe.trainer.label_smoothing,
            class_weights=None if weights is None else weights.to(device),
        )

    @property
    def size(self) -> int:
        return len(self._train)

    def count(self, epoch: int) -> int:
        return len(self._recipe.plan(self._train.corpus, epoch))

    def steps(self, state: TrainState) -> Iterator[Step]:
        assert state.sums is not None
        planned = self._recipe.plan(self._train.corpus, state.epoch)[state.sums.steps :]
        batches = self._shares(self._train, planned)
        numbers = range(state.step + 1, state.step + 1 + len(planned))
        if self._unlabelled is None:
            for number, rows, batch in zip(numbers, planned, batches, strict=True):
                yield Step(len(rows), batch, number)
            return
        corpus = self._unlabelled.corpus
        passes = endless(functools.partial(self._recipe.plan_unlabelled, corpus), first=state.step)
        further = list(islice(passes, len(planned)))
        for number, rows, batch, others, unlabelled in zip(
            numbers, planned, batches, further, self._shares(self._unlabelled, further), strict=True
        ):
            yield Step(len(rows), batch, number, len(others), unlabelled)

    def _shares(self, batches: Batches, planned: list[Tensor]) -> Iterator[Batch]:
        return batches.of(planned, rank=self._group.rank, size=self._group.size)

    def add_gradients(self, step: Step, parts: int) -> Tensor:
        objective = self._recipe.objective.at(step.number)
        sums = torch.zeros(2 + len(objective.terms), device=step.batch.labels.device)
        sizes = Sizes(step.size, step.unlabelled)
        for part in _parts(step.batch, parts):
            if objective.terms:
                sums += add_gradients(objective, self.model, part, self._loss_of, sizes, self._recipe.machine)
            else:
                sums += self._add_plain_gradients(part, step.size)
        if step.unlabelled_batch is not None:
            for part in _parts(step.unlabelled_batch, parts):
                sums += add_gradients(objective, self.model, part, None, sizes, self._recipe.machine)
        return sums

    def _add_plain_gradients(self, batch: Batch, reviews: int) -> Tensor:
        with self._recipe.machine.autocast():
            logits = self.model(batch.ids, batch.lengths)  # [B] or [B, C]
        loss = self._loss_of(logits, batch.labels)
        (loss / reviews).backward()
        return torch.stack([loss.detach(), correct(logits, batch.labels).float()])

    def trained(self, sums: EpochSums) -> Metrics:
        objective = self._recipe.objective
        metrics = {"train/loss": sums.loss / sums.size, "train/accuracy": sums.correct / sums.size}
        for term, total in zip(objective.terms, sums.terms, strict=True):
            metrics[f"train/{term}"] = total / (sums.size + (0 if term == "adversarial" else sums.unlabelled))
        return metrics

    def read(self, sums: EpochSums) -> dict[str, float]:
        sources = ((self._train, sums.size), (self._unlabelled, sums.unlabelled))
        tokens = sum(len(one.corpus.ids) / len(one) * reviews for one, reviews in sources if one is not None)
        return {"reviews": sums.size + sums.unlabelled, "tokens": tokens}

    def judge(self, interrupted: Any = None) -> Metrics:
        if self._valid is None:
            return {}
        loss, right = judge(self.model, self._valid, self._group, self._recipe, interrupted)
        return {"valid/loss": loss, "valid/accuracy": right}


def judge(
    model: nn.Module, batches: Batches, group: Group, recipe: Recipe, interrupted: Any = None
) -> tuple[float, float]:
    """Return the mean loss (labels as they are, not smoothed) and the accuracy; the processes share the batches.

    Raises Stopped as soon as `interrupted` is true.
    """
    model.eval()
    if recipe.trainer.bucket:
        planned = evaluation_plan(batches.corpus, device=batches.device)
    else:  # a model that sees the padding must be judged with as much of it as it was trained with
        planned = recipe.plan(batches.corpus, epoch=0)
    totals = torch.zeros(2, dtype=torch.float64, device=batches.device)  # loss, correct
    with torch.inference_mode():
        for batch in batches.of(planned[group.rank :: group.size]):
            with recipe.machine.autocast():
                logits = model(batch.ids, batch.lengths)  # [B] or [B, C]
            totals += torch.stack([loss_sum(logits, batch.labels), correct(logits, batch.labels)])
            if interrupted:
                raise Stopped
    group.sum_(totals)
    loss, right = (totals / len(batches)).tolist()
    return loss, right


def _parts(batch: Batch, parts: int) -> Iterator[Batch]:
    """Cut a batch into `parts`, and leave out those without a review."""
    for part in zip(*(tensor.tensor_split(parts) for tensor in batch), strict=True):
        if len(part[0]):
            yield Batch(*part)
