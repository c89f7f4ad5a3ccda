"""The embedding layers: a table of vectors that can be frozen and thawed, and one-hot input without any table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

# Shapes: B reviews in a batch, T tokens in the longest of them, V tokens in the vocabulary, E embedding.dim


class VocabularyLike(Protocol):
    """What an embedding needs of a vocabulary. `sentexp.text.vocabulary.Vocabulary` has it."""

    itos: list[str]
    """The token of each id."""
    unk_index: int
    pad_index: int

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Coverage:
    """How many words of the vocabulary had a vector in the file."""

    found: int
    wanted: int
    """All words of the vocabulary but `<unk>` and `<pad>`."""
    ids: Tensor | None = field(default=None, repr=False, compare=False)
    """The token ids that had one, int64 [found]."""

    def of_text(self, ids: Tensor) -> float:
        """Return the share of the running words of a text, int [N_tokens], that had a vector: between 0 and 1."""
        if self.ids is None or not len(ids):
            return 0.0
        return float(ids.bincount(minlength=int(self.ids.max()) + 1)[self.ids].sum()) / len(ids)

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.found / self.wanted if self.wanted else 0.0

    def __str__(self) -> str:
        return f"{self.found:,} of {self.wanted:,} words found ({100 * self.share:.1f} %)"


def coverage_of(module: nn.Module) -> Coverage | None:
    """Return the coverage of an embedding from a file; None for any other module."""
    coverage = getattr(module, "coverage", None)
    return coverage if isinstance(coverage, Coverage) else None


class Embedding(nn.Embedding):
    """A table of vectors [V, E]. With `freeze` it is not trained; with `thaw_after`, not in that many first epochs.

    It has no `padding_idx`: the model masks by length. Give the weight to the optimizer even if it is frozen at first:
    torch.optim leaves a weight without a gradient alone, weight decay included.

    Raises ValueError for `thaw_after` without `freeze`.
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
        """Freeze or thaw for `epoch`, counted from 1. Nothing else matters, so a run can be resumed anywhere."""
        thawed = self.thaw_after is not None and epoch > self.thaw_after
        self.weight.requires_grad_(not self.freeze or thawed)
        if self.weight.grad is not None and not self.weight.requires_grad:
            self.weight.grad = None  # else an optimizer would go on using it


class OneHot(nn.Module):
    """One input per token of the vocabulary, instead of a table. A model may use the ids and never build the vectors.

    `embedding_dim` is V, the size of the vocabulary.
    """

    coverage = None

    def __init__(self, num_embeddings: int) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = num_embeddings

    def forward(self, ids: Tensor) -> Tensor:
        """Turn ids [B, T] into one-hot vectors [B, T, V], float32."""
        return nn.functional.one_hot(ids.long(), self.num_embeddings).float()

    def start_epoch(self, epoch: int) -> None:
        """Do nothing: there are no weights to freeze."""


def random(dim: int, std: float, freeze: bool, *, vocabulary: VocabularyLike, seed: int) -> Embedding:
    """Draw vectors from normal(0, std), the one of `<pad>` too; torch.nn.Embedding does so with std=1.

    They depend only on `seed`, the size of the vocabulary and `dim`, not on torch's global generator.
    """
    return Embedding(standard_normal(len(vocabulary), dim, seed).mul_(std), freeze=freeze)


def one_hot(*, vocabulary: VocabularyLike) -> OneHot:
    """Make a layer of one-hot vectors, as wide as the vocabulary."""
    return OneHot(len(vocabulary))


def standard_normal(rows: int, dim: int, seed: int) -> Tensor:
    """Draw [rows, dim] numbers from their own generator, so that a run may build its parts in any order."""
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
