"""Seeded random choices of rows that keep the proportions of the labels.

The random keys are the raw output of PCG64, which numpy promises never to change, so a split is the same on every
machine.
"""

from __future__ import annotations

import numpy as np

from sentexp.errors import SentexpError


def holdout(
    numbers: np.ndarray, fraction: float, seed: int, key: str, name: str, block: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to keep and the rows to hold out, each sorted: a `fraction` of the label numbers [N], 0 to C-1.

    Each label is held out in proportion, and at least one row of each is kept. Rows are held out in blocks of `block`
    neighbours; of each label, one block may be cut. `key` and `name` (what is split) stand in messages. Raises
    ValueError if the fraction is not between 0 and 1, and SentexpError if fewer rows than there are labels would be
    held out or kept.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"{key}={fraction}: expected a fraction between 0 and 1")
    total, labels = len(numbers), len(np.unique(numbers))
    count = round(total * fraction)
    if total < 2 * labels:
        raise SentexpError(f"{name}: {total} reviews of {labels} labels are too few to be split by {key}={fraction}")
    if count < labels:
        least = labels / total
        raise SentexpError(
            f"{key}={fraction}: {count} of {total} reviews are fewer than the {labels} labels; "
            f"expected at least {least:.3g}"
        )
    if count > total - labels:
        raise SentexpError(f"{key}={fraction}: leaves fewer than {labels} of the {total} reviews, one of each label")
    held = stratified(numbers, count, seed, leave_one=True, block=block)
    kept = np.ones(total, dtype=bool)
    kept[held] = False
    return np.flatnonzero(kept), held


def stratified(numbers: np.ndarray, count: int, seed: int, *, leave_one: bool = False, block: int = 1) -> np.ndarray:
    """Choose `count` rows of the label numbers [N], each label in proportion, and return them sorted.

    Each label gets at least one row if `count` suffices; with `leave_one`, at least one row of each is not chosen.
    Apart from rounding, a smaller count with the same seed chooses a part of what a larger one chooses. Rows are
    chosen in blocks of `block` neighbours; of each label, one block may be cut.
    """
    _, numbers, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    shares = _apportion(sizes, count, sizes - 1 if leave_one else sizes)
    blocks = np.arange(len(numbers)) // block
    keys = np.random.PCG64(seed).random_raw(len(numbers))[blocks]
    order = np.lexsort((keys, numbers))  # by label, in random order of the blocks within a label
    starts = np.cumsum(sizes) - sizes
    rank = np.arange(len(numbers)) - np.repeat(starts, sizes)
    return np.sort(order[rank < np.repeat(shares, sizes)])


def _apportion(sizes: np.ndarray, count: int, most: np.ndarray) -> np.ndarray:
    """Share `count` seats among groups of these sizes by largest remainder.

    A group gets at most `most` seats, and at least one if `count` suffices.
    """
    ideal = count * sizes / sizes.sum()
    least = np.minimum(1, most) if count >= len(sizes) else np.zeros_like(sizes)
    seats = np.clip(np.floor(ideal).astype(np.int64), least, most)
    while seats.sum() < count:
        seats[np.argmax(np.where(seats < most, ideal - seats, -np.inf))] += 1
    while seats.sum() > count:
        seats[np.argmax(np.where(seats > least, seats - ideal, -np.inf))] -= 1
    return seats
