"""The embedding layers: a table of vectors, drawn or read, that can be frozen and thawed; and none at all (one-hot)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from sentexp.embedding.vectors import Progress

# Shapes: B reviews in a batch, T tokens in the longest of them, V words of the vocabulary, E embedding.dim


class Words(Protocol):
    """What this package needs of a vocabulary."""

    itos: list[str]
    unk_index: int
    pad_index: int

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Coverage:
    """Words of the vocabulary whose vectors were found, out of those wanted: all of them but `<unk>` and `<pad>`."""

    found: int
    wanted: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.found / self.wanted if self.wanted else 0.0

    def __str__(self) -> str:
        return f"{self.found:,} of {self.wanted:,} words found ({100 * self.share:.1f} %)"


class Embedding(nn.Embedding):
    """A table of vectors [V, E]. With `freeze` it is not trained, with `thaw_after` not in that many first epochs.

    It has no `padding_idx`: the model masks by length. The optimizer has to be given the weight although it may be
    frozen at first; torch.optim leaves a weight without a gradient alone, weight decay included.
    """

    def __init__(
        self, weight: Tensor, coverage: Coverage | None = None, freeze: bool = False, thaw_after: int | None = None
    ) -> None:
        if thaw_after is not None and not freeze:
            raise ValueError(f"thaw_after={thaw_after} without freeze: nothing to thaw")
        super().__init__(weight.shape[0], weight.shape[1], _weight=weight)
        self.freeze = freeze
        self.thaw_after = thaw_after
        self.coverage = coverage
        self.start_epoch(1)

    def start_epoch(self, epoch: int) -> None:
        """Freeze or thaw for `epoch`, counted from 1; depends on nothing else, so a run can be resumed anywhere."""
        thawed = self.thaw_after is not None and epoch > self.thaw_after
        self.weight.requires_grad_(not self.freeze or thawed)
        if self.weight.grad is not None and not self.weight.requires_grad:
            self.weight.grad = None  # else an optimizer would go on using it


class OneHot(nn.Module):
    """No table: a word is one input as wide as the vocabulary, V. A model may use ids and never build the vectors."""

    coverage = None

    def __init__(self, num_embeddings: int) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = num_embeddings

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, T] -> one-hot vectors [B, T, V] of float32."""
        return nn.functional.one_hot(ids.long(), self.num_embeddings).float()

    def start_epoch(self, epoch: int) -> None:
        """Nothing to freeze or thaw."""


def random(
    dim: int,
    std: float,
    freeze: bool,
    *,
    vocabulary: Words,
    cache_dir: Path | None = None,
    seed: int,
    progress: Progress | None = None,
) -> Embedding:
    """Vectors drawn from normal(0, std), `<pad>` like any word, as torch.nn.Embedding does with std=1.

    They depend on `seed` and the sizes alone, not on torch's global generator.
    """
    return Embedding(standard_normal(len(vocabulary), dim, seed).mul_(std), freeze=freeze)


def one_hot(
    *, vocabulary: Words, cache_dir: Path | None = None, seed: int = 0, progress: Progress | None = None
) -> OneHot:
    """No vectors, as wide as the vocabulary."""
    return OneHot(len(vocabulary))


def standard_normal(rows: int, dim: int, seed: int) -> Tensor:
    """[rows, dim] drawn from a generator of its own, so the order in which a run builds its parts does not matter."""
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
