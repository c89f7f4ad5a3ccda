"""A corpus and models small enough for tests, importable by the processes that a test starts."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PAD = 1


@dataclass
class TinyCorpus:
    ids: Tensor
    offsets: Tensor
    labels: Tensor

    @property
    def lengths(self) -> Tensor:
        return self.offsets[1:] - self.offsets[:-1]

    def __len__(self) -> int:
        return len(self.labels)


def corpus(reviews: int, seed: int = 0, classes: int = 2, longest: int = 9, words: int = 20) -> TinyCorpus:
    """Reviews of random words; word 2 + label stands in each, so that the label can be learnt."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (reviews,), generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    ids = torch.randint(2 + classes, words, (int(offsets[-1]),), generator=generator, dtype=torch.int32)
    labels = torch.randint(0, classes, (reviews,), generator=generator)
    ids[offsets[:-1]] = (2 + labels).int()
    return TinyCorpus(ids, offsets, labels)


class TinyModel(nn.Module):
    """Mean of word vectors, linear layer; logits [B] for two classes, [B, C] for more."""

    def __init__(self, classes: int = 2, dropout: float = 0.0, words: int = 20) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 4)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4, 1 if classes == 2 else classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        vectors = self.dropout(self.embedding(ids)) * inside[..., None]
        return self.head(vectors.sum(1) / lengths[:, None]).squeeze(1)


class FailsElsewhere(TinyModel):
    """Works in the process that made it. In any other it raises, or is killed, once it is trained."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.home = os.getpid()
        self.how = how

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        if os.getpid() != self.home:
            if self.how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ZeroDivisionError("the worker's own mistake")
        return super().forward(ids, lengths)


class FailsToArrive(TinyModel):
    def __setstate__(self, state: dict) -> None:
        raise ZeroDivisionError("cannot be unpickled")
