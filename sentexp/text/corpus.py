"""A corpus: the token ids of many reviews in one flat tensor, in memory or memory-mapped from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from torch import Tensor

# Shapes: N reviews, N_tokens tokens in all of them together

UNLABELLED = -1
"""Label of a review whose label is not known."""


class Corpus:
    """Encoded reviews, their labels, and how they are padded to a rectangle.

    A corpus in files is pickled as its path, and mapped again where it is unpickled.
    """

    def __init__(
        self,
        ids: Tensor,
        offsets: Tensor,
        labels: Tensor,
        pad_index: int,
        width: int | None = None,
        path: Path | None = None,
    ) -> None:
        self.ids = ids
        """int32 [N_tokens]: the token ids of all reviews, one after the other."""
        self.offsets = offsets
        """int64 [N + 1]: review n is ids[offsets[n] : offsets[n + 1]]."""
        self.labels = labels
        """int64 [N]; UNLABELLED where not known."""
        self.lengths = offsets.diff()
        """int64 [N], in tokens."""
        self.pad_index = pad_index
        """Token id that a batch is padded with."""
        self.width = width
        """Tokens that every review is cut or padded to (text.fix_length); None: the longest of its batch."""
        self.path = path
        """Folder and first part of the file names, if the corpus is mapped from files."""

    def digest(self) -> str:
        """Return a digest of all ids, offsets and labels."""
        content = xxhash.xxh3_128()
        for part in (self.ids, self.offsets, self.labels):
            content.update(part.contiguous().numpy().data)
        return content.hexdigest()

    @staticmethod
    def open(path: Path, pad_index: int, width: int | None = None) -> Corpus:
        """Map the files `path`.ids, `path`.offsets and `path`.labels.

        Raises OSError if one is missing, ValueError if they do not fit one another.
        """
        ids, offsets, labels = (
            _mapped(path.with_name(f"{path.name}.{part}"), dtype)
            for part, dtype in (("ids", np.int32), ("offsets", np.int64), ("labels", np.int64))
        )
        if len(offsets) != len(labels) + 1 or int(offsets[-1]) != len(ids):
            raise ValueError(f"{path}: {len(offsets)} offsets, {len(labels)} labels and {len(ids)} tokens do not agree")
        return Corpus(ids, offsets, labels, pad_index, width, path)

    def to(self, device: torch.device | str) -> Corpus:
        """Return this corpus on `device`: itself if it is there already, otherwise a copy."""
        ids = self.ids.to(device)
        if ids is self.ids:
            return self
        return Corpus(ids, self.offsets.to(device), self.labels.to(device), self.pad_index, self.width)

    def select(self, rows: np.ndarray) -> Corpus:
        """Return the chosen reviews, int64 [rows], as a corpus in memory."""
        chosen = torch.from_numpy(rows)
        lengths = self.lengths[chosen]
        parts = [self.ids[self.offsets[row] : self.offsets[row + 1]] for row in rows.tolist()]
        ids = torch.cat(parts) if parts else self.ids[:0]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        return Corpus(ids, offsets, self.labels[chosen], self.pad_index, self.width)

    def __len__(self) -> int:
        return len(self.labels)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is not None:
            return Corpus.open, (self.path, self.pad_index, self.width)
        return Corpus, (self.ids, self.offsets, self.labels, self.pad_index, self.width)

    def __repr__(self) -> str:
        return f"Corpus of {len(self):,} reviews, {len(self.ids):,} tokens"


def _mapped(path: Path, dtype: type) -> Tensor:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return torch.from_numpy(np.empty(0, dtype))
    # Mode c (copy on write): a write into the tensor changes a private copy; torch has no read-only tensors.
    return torch.from_numpy(np.memmap(path, dtype=dtype, mode="c"))
