"""From raw tokens to the token ids that a model is given: look up, drop, cut, put the first and last token around.

A raw token is one as the tokenizer gives it; its raw id is its place among the distinct raw tokens of a chunk or split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Shapes: R reviews in a chunk, N raw tokens in them, M token ids that these become, W distinct raw tokens

DROPPED = -1
"""Entry of a look-up table for a raw token that is left out."""


class EncodedChunk(NamedTuple):
    ids: np.ndarray
    """int32 [M]."""
    lengths: np.ndarray
    """int64 [R]."""
    truncated: int
    """Reviews that were cut."""
    empty: int
    """Reviews that had no token left and became one <unk>."""
    tokens: int
    """Tokens kept, without init and eos token."""
    unknown: int
    """Those of them that are not in the vocabulary."""

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("truncated", "empty", "tokens", "unknown")}


@dataclass(frozen=True)
class ReviewLayout:
    """How a review is laid out as token ids: its first and last token, and which part of a long review is kept."""

    unk: int
    init: int | None = None
    eos: int | None = None
    room: int | None = None
    """Largest number of tokens of a review, without init and eos token; None: no bound."""
    head: int = 0
    """How many of `room` tokens are taken from the beginning of a longer review; the others are taken from its end."""

    def encode(self, raw_ids: np.ndarray, lengths: np.ndarray, table: np.ndarray) -> EncodedChunk:
        """Encode reviews with `raw_ids` [N] and `lengths` [R].

        `table` int32 [W] maps each raw id to a token id or DROPPED.
        """
        ids = table[raw_ids]
        dropped = ids == DROPPED
        if dropped.any():
            ids = ids[~dropped]
            lengths = lengths - _sums(dropped, lengths)
        kept = lengths if self.room is None else np.minimum(lengths, self.room)
        truncated = int((kept < lengths).sum())
        if truncated:
            ids = ids[self._inside(lengths, kept)]
        empty, unknown = int((kept == 0).sum()), int((ids == self.unk).sum())
        around = (self.init is not None) + (self.eos is not None)
        if not empty and not around:
            return EncodedChunk(ids, kept, truncated, empty, len(ids), unknown)

        total = np.maximum(kept, 1) + around
        ends = np.cumsum(total)
        starts = ends - total
        laid_out = np.full(int(total.sum()), self.unk, dtype=np.int32)  # <unk> stays where a review is empty
        first = starts + (self.init is not None) - (np.cumsum(kept) - kept)
        laid_out[np.repeat(first, kept) + np.arange(len(ids))] = ids
        if self.init is not None:
            laid_out[starts] = self.init
        if self.eos is not None:
            laid_out[ends - 1] = self.eos
        return EncodedChunk(laid_out, total, truncated, empty, len(ids), unknown)

    def _inside(self, lengths: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return True [N] for the tokens that their review keeps: its first `head` tokens, and its last ones."""
        ends = np.cumsum(lengths)
        place = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths)
        tail = np.where(kept < lengths, lengths - (kept - self.head), 0)  # where the tail begins; 0: all is kept
        return (place < self.head) | (place >= np.repeat(tail, lengths))


def _sums(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the sum of each review's values [R]."""
    sums = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(lengths)
    return sums[ends] - sums[ends - lengths]
