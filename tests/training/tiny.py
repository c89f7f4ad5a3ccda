"""A corpus and models small enough for tests, importable by the processes that a test starts."""

from __future__ import annotations

import dataclasses
import os
import signal
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sentexp.schema import TrainerConfig
from sentexp.text.corpus import Corpus
from sentexp.training import Machine, Recipe, schedules

PAD = 1

RECIPE = Recipe(
    optimizer=partial(torch.optim.SGD, lr=0.5),
    schedule=schedules.constant,
    machine=Machine(torch.device("cpu"), torch.float32, processes=1, threads=1, reasons={}),
    trainer=TrainerConfig(
        epochs=3,
        epoch_steps=None,
        batch_size=16,
        max_tokens=None,
        bucket=True,
        layer_decay=1.0,
        clip_norm=0.0,
        label_smoothing=0.0,
        class_weight="none",
        sampling="uniform",
        log_every=0,
        ema=None,
        keep="best",
        early_stopping=None,
        on_oom="fail",
        checkpoint_minutes=None,
        checkpoint_every=None,
        resume=None,
        trust=False,
        device="cpu",
        precision="fp32",
        processes="1",
        threads=1,
    ),
    seed=0,
)


def recipe(**changes: Any) -> Recipe:
    """RECIPE with `changes`: fields of the recipe or of its trainer."""
    names = {field.name for field in dataclasses.fields(Recipe)}
    own = {name: value for name, value in changes.items() if name in names}
    trainer = {name: value for name, value in changes.items() if name not in names}
    return dataclasses.replace(RECIPE, **own, trainer=dataclasses.replace(RECIPE.trainer, **trainer))


def corpus(
    reviews: int, seed: int = 0, classes: int = 2, longest: int = 9, words: int = 20, width: int | None = None
) -> Corpus:
    """Return reviews of random tokens; token 2 + label is in each, so that the label can be learnt."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (reviews,), generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    ids = torch.randint(2 + classes, words, (int(offsets[-1]),), generator=generator, dtype=torch.int32)
    labels = torch.randint(0, classes, (reviews,), generator=generator)
    ids[offsets[:-1]] = (2 + labels).int()
    return Corpus(ids, offsets, labels, PAD, width)


class TinyModel(nn.Module):
    """Mean of word vectors, linear layer; logits [B] for two classes, [B, C] for more."""

    def __init__(self, classes: int = 2, dropout: float = 0.0, words: int = 20) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 4)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4, 1 if classes == 2 else classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.classify(self.embed(ids), lengths)

    def embed(self, ids: Tensor) -> Tensor:
        return self.dropout(self.embedding(ids))

    def classify(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        inside = torch.arange(vectors.shape[1], device=vectors.device) < lengths[:, None]
        return self.head((vectors * inside[..., None]).sum(1) / lengths[:, None]).squeeze(1)


class NeedsMemory(TinyModel):
    """Has memory for six reviews of a training step at a time."""

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        if self.training and len(ids) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(ids, lengths)


class FailsElsewhere(TinyModel):
    """Works in the process that made it. Elsewhere (or in process `rank` alone) it raises, or is killed."""

    def __init__(self, how: str, rank: int | None = None) -> None:
        super().__init__()
        self.home = os.getpid()
        self.how = how
        self.rank = rank

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        if os.getpid() != self.home and self.rank in (None, torch.distributed.get_rank()):
            fail(self.how, "the worker's own mistake")
        return super().forward(ids, lengths)


class FailsToArrive(TinyModel):
    """Raises, or is killed, where it is unpickled."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def __setstate__(self, state: dict) -> None:
        fail(state["how"], "cannot be unpickled")


def fail(how: str, message: str) -> None:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ZeroDivisionError(message)
