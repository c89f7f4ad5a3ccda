"""From raw words to the numbers that a model reads: look up, drop, cut, and put the first and last token around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Shapes: R reviews of a chunk, N raw words in them, M words that they become, W distinct raw words

DROPPED = -1
"""In a table of word numbers: the word is left out."""


class Encoded(NamedTuple):
    ids: np.ndarray
    """int32 [M]."""
    lengths: np.ndarray
    """int64 [R]."""
    truncated: int
    """Reviews that lost words by their length."""
    empty: int
    """Reviews without a word left, which are one <unk>."""
    words: int
    """Words kept, without init and eos token."""
    unknown: int
    """Of these, how many are not in the vocabulary."""

    @property
    def figures(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("truncated", "empty", "words", "unknown")}


@dataclass(frozen=True)
class Layout:
    """How a review is laid out in numbers."""

    unk: int
    init: int | None = None
    eos: int | None = None
    room: int | None = None
    """Most words of a review, without init and eos token; None: no bound."""
    head: int = 0
    """With `room`, how many of these are taken from the beginning of a longer review; the others from its end."""

    def encode(self, numbers: np.ndarray, lengths: np.ndarray, table: np.ndarray) -> Encoded:
        """Raw words `numbers` [N] of reviews with `lengths` [R]; `table` int32 [W] from raw word to id or DROPPED."""
        words = table[numbers]
        dropped = words == DROPPED
        if dropped.any():
            words = words[~dropped]
            lengths = lengths - _sums(dropped, lengths)
        kept = lengths if self.room is None else np.minimum(lengths, self.room)
        truncated = int((kept < lengths).sum())
        if truncated:
            words = words[self._inside(lengths, kept)]
        empty, unknown = int((kept == 0).sum()), int((words == self.unk).sum())
        around = (self.init is not None) + (self.eos is not None)
        if not empty and not around:
            return Encoded(words, kept, truncated, empty, len(words), unknown)

        total = np.maximum(kept, 1) + around
        ends = np.cumsum(total)
        starts = ends - total
        ids = np.full(int(total.sum()), self.unk, dtype=np.int32)  # which is what an empty review keeps
        first = starts + (self.init is not None) - (np.cumsum(kept) - kept)
        ids[np.repeat(first, kept) + np.arange(len(words))] = words
        if self.init is not None:
            ids[starts] = self.init
        if self.eos is not None:
            ids[ends - 1] = self.eos
        return Encoded(ids, total, truncated, empty, len(words), unknown)

    def _inside(self, lengths: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """True for the words within the first `head` of their review, or within the last of what is kept of it."""
        ends = np.cumsum(lengths)
        place = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths)
        tail = np.where(kept < lengths, lengths - (kept - self.head), 0)  # where the tail begins; 0: all is kept
        return (place < self.head) | (place >= np.repeat(tail, lengths))


def _sums(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Sum of the values of each review [R]."""
    sums = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(lengths)
    return sums[ends] - sums[ends - lengths]
