"""Finds equal texts: within a split, in two splits, with two labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import datasets
import numpy as np

from sentexp.data.duplicates import text_hashes
from sentexp.text.corpus import UNLABELLED
from sentexp.text.encoded_reviews import labels_of

# Shapes: R reviews of all splits together, split after split


@dataclass(frozen=True)
class EqualTexts:
    """Which reviews have the same text, apart from white space at both ends."""

    sizes: dict[str, int]
    """Reviews per split."""
    repeated: dict[str, int]
    """Per split, the reviews that repeat an earlier one of it."""
    shared: dict[tuple[str, str], int]
    """For two splits, the reviews of the first whose text is also in the second; the first is the one less trained on:
    of the unlabelled reviews the text alone is learnt from, of the training reviews the label, too."""
    conflicting: int
    """Texts that have two labels or more; that of an unlabelled review is none."""
    groups: list[np.ndarray]
    """The reviews of each text that occurs more than once: their places among all R, int64, ascending. Texts with two
    labels come first, then those in two splits."""

    @staticmethod
    def of(splits: datasets.DatasetDict) -> EqualTexts:
        """Compare the texts of all splits; takes up to 75 bytes per review, and 150 more per text that occurs
        more than once."""
        hashed = {split: text_hashes(rows) for split, rows in splits.items()}
        labels = np.concatenate([labels_of(rows) for rows in splits.values()])  # [R]
        every = np.concatenate(list(hashed.values()))  # [R]
        split_of = np.repeat(np.arange(len(hashed)), [len(of_split) for of_split in hashed.values()])  # [R]
        groups = list(_groups(every))
        conflicting = [len(np.unique(labels[group][labels[group] != UNLABELLED])) > 1 for group in groups]
        crossing = [split_of[group[0]] != split_of[group[-1]] for group in groups]
        by_training = sorted(hashed, key=lambda split: (split != "train", split != "unlabelled"))  # the others stay
        order = sorted(range(len(groups)), key=lambda place: (not conflicting[place], not crossing[place]))
        return EqualTexts(
            sizes={split: len(of_split) for split, of_split in hashed.items()},
            repeated={split: len(of_split) - len(np.unique(of_split)) for split, of_split in hashed.items()},
            shared={
                (held, train): int(np.isin(hashed[held], hashed[train]).sum())
                for train, held in combinations(by_training, 2)
            },
            conflicting=sum(conflicting),
            groups=[groups[place] for place in order],
        )

    def place(self, review: int) -> tuple[str, int]:
        """Return the split of a review, counted among all R, and its row there."""
        for split, size in self.sizes.items():
            if review < size:
                return split, review
            review -= size
        raise IndexError(f"review {review} is behind the last one")


def _groups(every: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the places of each hash that occurs more than once, in the order of the first."""
    order = np.argsort(every, kind="stable")
    starts = np.flatnonzero(np.diff(every[order], prepend=~every[order[:1]]))
    lengths = np.diff(starts, append=len(order))
    repeated = lengths > 1  # before splitting: an array per text takes much more than its place
    found = np.split(order[np.repeat(repeated, lengths)], np.cumsum(lengths[repeated])[:-1]) if repeated.any() else []
    yield from sorted(found, key=lambda group: int(group[0]))
