"""Training to predict the next token: streams of text, the state that is carried through them, and perplexity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sentexp.errors import SentexpError
from sentexp.machine.workload import Workload, sizes_of
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.language_model import LanguageModel
from sentexp.schema import TrainerConfig
from sentexp.streams import Streams
from sentexp.text.corpus import Corpus
from sentexp.training.processes import Group
from sentexp.training.recipe import Recipe
from sentexp.training.state import EpochSums, TrainState
from sentexp.training.work import Corpora, Metrics, Step, Stopped, Work

# Shapes: S streams of this process, D directions, L tokens of a segment, M recurrent layers, K states, H hidden_size

HIGHEST_LOSS = 700.0
"""Nats beyond which a perplexity is no number."""


@dataclass(frozen=True)
class LanguageModelTask:
    """The `Task` of predicting the next token and, with a bidirectional classifier, the previous one."""

    streams: int = 64
    """Streams of text in a step, over all processes."""
    segment: int = 100
    """Tokens of each stream in a step: how far gradients reach back."""
    cutoffs: Sequence[int] = ()
    """First token ids of the clusters of rarer words; see AdaptiveSoftmax."""

    def model(self, classifier: nn.Module) -> nn.Module:
        if not isinstance(classifier, RecurrentClassifier):
            kind = type(classifier).__name__
            raise SentexpError(f"task=language_model: a {kind} does not read in an order; expected model=lstm or gru")
        return LanguageModel(classifier, self.cutoffs)

    def workload(self, model: nn.Module, corpora: Corpora, trainer: TrainerConfig) -> Workload:
        assert isinstance(model, LanguageModel)
        step = self.streams * self.segment
        tokens = sum(len(corpus.ids) for corpus in _texts(corpora))
        steps = trainer.epochs * (trainer.epoch_steps or -(-tokens // step))
        multiplied, shared = sizes_of(model)
        return Workload(steps * step, steps, batch=self.streams, multiplied=multiplied, shared=shared)

    def work(self, model: nn.Module, corpora: Corpora, recipe: Recipe, group: Group, device: torch.device) -> Work:
        return LanguageModelling(self, model, corpora, recipe, group, device)


class Segment(NamedTuple):
    ids: Tensor  # int64 [S, D, L+1]
    states: Tensor  # [S, D, M, K, H]


class LanguageModelling:
    """The `Work` of a LanguageModel on the texts of the splits train and unlabelled. Labels are not looked at.

    Each pass goes through all texts in an order of its own, and begins with states of zero. With several processes each
    has its share of the streams.
    """

    unit = "tokens"

    def __init__(
        self,
        task: LanguageModelTask,
        model: nn.Module,
        corpora: Corpora,
        recipe: Recipe,
        group: Group,
        device: torch.device,
    ) -> None:
        assert isinstance(model, LanguageModel)
        if task.streams < group.size:
            raise SentexpError(f"task.streams={task.streams}: too few for {group.size} processes")
        self.model: LanguageModel = model
        self.carried: Tensor | None = None
        """The states of all streams, [S of all processes, D, M, K, H]."""
        self._train = self._streams(_texts(corpora), task.streams, task.segment, "train")
        self._valid = None
        if corpora.valid is not None:
            most = len(corpora.valid.ids) // (task.segment + 1)  # short text in many streams would have little context
            self._valid = self._streams([corpora.valid], max(1, min(task.streams, most)), task.segment, "valid")
        self._recipe = recipe
        self._group = group
        self._device = device

    def _streams(self, texts: Sequence[Corpus], count: int, length: int, split: str) -> Streams:
        try:
            return Streams(texts, count=count, length=length, directions=self.model.directions)
        except ValueError as error:
            raise SentexpError(f"task.streams={count}: the split {split} is too short ({error})") from error

    @property
    def size(self) -> int:
        return round(self._train.predicted * self.count(1) / self._train.segments)

    def count(self, epoch: int) -> int:
        return self._recipe.trainer.epoch_steps or self._train.segments

    def steps(self, state: TrainState) -> Iterator[Step]:
        assert state.sums is not None
        streams, last = self._train, state.step + self.count(state.epoch) - state.sums.steps
        while state.step < last:
            number, within = divmod(state.step, streams.segments)
            order = streams.order(self._recipe.seed, number + 1)
            segments = streams.read(order, first=within, rank=self._group.rank, size=self._group.size)
            for ids in islice(segments, last - state.step):
                size = streams.count * streams.directions * (ids.shape[2] - 1)
                yield Step(size, Segment(self._here(ids), self._states(state, len(ids))), state.step + 1)

    def _states(self, state: TrainState, streams: int) -> Tensor:
        """Return the states with which the streams of this process begin the next step."""
        if state.step % self._train.segments == 0:
            return self.model.first_states(streams)
        assert state.carried is not None
        return state.carried[self._group.rank :: self._group.size].to(self._device)

    def _here(self, ids: Tensor) -> Tensor:
        return ids if self._device.type == "cpu" else ids.pin_memory().to(self._device, non_blocking=True)

    def add_gradients(self, step: Step, parts: int) -> Tensor:
        sums = torch.zeros(2, device=self._device)
        ends = []
        for ids, states in zip(*(tensor.tensor_split(parts) for tensor in step.batch), strict=True):
            if not len(ids):
                continue
            with self._recipe.machine.autocast():
                loss, end = self.model(ids, states)
            (loss / step.size).backward()
            sums[0] += loss.detach()
            ends.append(end)
        self.carried = self._of_all(torch.cat(ends))
        return sums

    def _of_all(self, states: Tensor) -> Tensor:
        """Return the states of all streams, so that the first process can write them into a checkpoint."""
        whole = states.new_zeros(self._train.count, *states.shape[1:])
        whole[self._group.rank :: self._group.size] = states
        self._group.sum_(whole)
        return whole

    def trained(self, sums: EpochSums) -> Metrics:
        return _metrics("train", sums.loss / sums.size)

    def read(self, sums: EpochSums) -> dict[str, float]:
        return {"tokens": sums.size / self.model.directions}

    def judge(self, interrupted: Any = None) -> Metrics:
        streams, group = self._valid, self._group
        if streams is None:
            return {}
        self.model.eval()
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        share = len(range(group.rank, streams.count, group.size))
        with torch.inference_mode():
            states = self.model.first_states(share)
            for ids in streams.read(rank=group.rank, size=group.size) if share else ():
                with self._recipe.machine.autocast():
                    loss, states = self.model(self._here(ids), states)
                total += loss
                if interrupted:
                    raise Stopped
        group.sum_(total)
        return _metrics("valid", float(total) / streams.predicted)


def _texts(corpora: Corpora) -> list[Corpus]:
    """Return the splits whose texts are trained on."""
    return [corpus for corpus in (corpora.train, corpora.unlabelled) if corpus is not None]


def _metrics(split: str, loss: float) -> Metrics:
    """Return the mean loss per token in nats, and its perplexity."""
    return {f"{split}/loss": loss, f"{split}/perplexity": math.exp(min(loss, HIGHEST_LOSS))}
