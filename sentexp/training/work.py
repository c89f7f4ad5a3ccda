"""The contract between `fit`'s loop and what it trains for: labels of reviews, or the next word of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from sentexp.text.corpus import Corpus
from sentexp.training.state import EpochSums, TrainState

# Shapes: K terms beside the loss

Metrics = dict[str, float]


class Corpora(NamedTuple):
    """The splits that a training reads."""

    train: Corpus
    valid: Corpus | None = None
    unlabelled: Corpus | None = None


@dataclass(frozen=True)
class Step:
    """What one step of a training learns from."""

    size: int
    """Reviews (or tokens) over all processes; the loss is the mean over them."""
    batch: Any
    """This process's share of them."""
    number: int
    """Which step of the training, counted from 1."""
    unlabelled: int = 0
    """Unlabelled reviews over all processes."""
    unlabelled_batch: Any = None


class Stopped(Exception):
    """An interrupt waits, and no step is under way."""


class Work(Protocol):
    """What a training does in an epoch. Each process has one; they share the steps."""

    unit: str
    """What is counted: reviews or tokens."""

    @property
    def model(self) -> nn.Module:
        """The model that is trained."""

    @property
    def carried(self) -> Tensor | None:
        """What the last step has left for the next one beside the weights, of all processes together.

        None where steps are independent. A step does not change it, but puts another tensor in its place.
        """

    @property
    def size(self) -> int:
        """Reviews (or tokens) in an epoch."""

    def count(self, epoch: int) -> int:
        """Return the number of steps in `epoch`, counted from 1."""

    def steps(self, state: TrainState) -> Iterator[Step]:
        """Yield the steps of the state's epoch that are left: those after `state.sums.steps`.

        The caller has taken each one, and `state` tells of it, before it asks for the next.
        """

    def add_gradients(self, step: Step, parts: int) -> Tensor:
        """Add the gradients of this process's share of a step, computed in `parts`, to those of the parameters.

        Returns the sum of losses, the number of correct answers and the sum of each further term, float32 [2 + K].
        """

    def trained(self, sums: EpochSums) -> Metrics:
        """Return what is told of an epoch's steps: train/loss and others."""

    def read(self, sums: EpochSums) -> dict[str, float]:
        """Return how many reviews and tokens (or tokens alone) an epoch's steps have read, by unit."""

    def judge(self, interrupted: Any = None) -> Metrics:
        """Return what is told of the validation split: valid/loss and, if there are labels, valid/accuracy.

        Returns nothing if there is no such split.

        Raises Stopped as soon as `interrupted` is true.
        """
