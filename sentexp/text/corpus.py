"""Reviews as word numbers: flat, in memory or mapped from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Shapes: N reviews, N_tokens words in all of them

UNLABELLED = -1


class Corpus:
    """`ids` int32 [N_tokens], the words of all reviews in turn; `offsets` int64 [N + 1], where each begins and ends;
    `labels` int64 [N], UNLABELLED where not known; `lengths` int64 [N].

    A corpus in files travels to another process as their path, and is mapped again there.
    """

    def __init__(self, ids: Tensor, offsets: Tensor, labels: Tensor, path: Path | None = None) -> None:
        self.ids = ids
        self.offsets = offsets
        self.labels = labels
        self.lengths = offsets.diff()
        self.path = path
        """Folder and first part of the names of its files, if it is in files."""

    @staticmethod
    def open(path: Path) -> Corpus:
        """Maps the files `path`.ids, `path`.offsets and `path`.labels.

        Raises OSError for one that is missing, ValueError if they do not fit one another.
        """
        ids, offsets, labels = (
            _mapped(path.with_name(f"{path.name}.{part}"), dtype)
            for part, dtype in (("ids", np.int32), ("offsets", np.int64), ("labels", np.int64))
        )
        if len(offsets) != len(labels) + 1 or int(offsets[-1]) != len(ids):
            raise ValueError(f"{path}: {len(offsets)} offsets, {len(labels)} labels and {len(ids)} words do not agree")
        return Corpus(ids, offsets, labels, path)

    def __len__(self) -> int:
        return len(self.labels)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is not None:
            return Corpus.open, (self.path,)
        return Corpus, (self.ids, self.offsets, self.labels)

    def __repr__(self) -> str:
        return f"Corpus of {len(self):,} reviews, {len(self.ids):,} words"


def _mapped(path: Path, dtype: type) -> Tensor:
    if path.stat().st_size == 0:  # which cannot be mapped
        return torch.from_numpy(np.empty(0, dtype))
    # Mode c: whoever writes into the tensor writes into a private copy; torch has no read-only tensors.
    return torch.from_numpy(np.memmap(path, dtype=dtype, mode="c"))
