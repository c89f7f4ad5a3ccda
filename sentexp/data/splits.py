"""Which rows go where: seeded, stratified choices, made of arrays alone.

The random keys are raw PCG64 output, which numpy promises to keep for ever, so a split is the same on every machine.
"""

from __future__ import annotations

import numpy as np

from sentexp.errors import SentexpError


def holdout(numbers: np.ndarray, fraction: float, seed: int, key: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows to keep and rows to hold out: `fraction` of `numbers` [N] (0 to C-1), of each label in proportion. Sorted.

    At least one row of each label is kept. Raises SentexpError, naming `key` and `name` (what is split), where the part
    held out would have fewer rows than there are labels, or would leave too few.
    """
    if not 0 < fraction < 1:
        raise SentexpError(f"{key}={fraction}: expected a fraction between 0 and 1")
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
    held = stratified(numbers, count, seed, leave_one=True)
    kept = np.ones(total, dtype=bool)
    kept[held] = False
    return np.flatnonzero(kept), held


def stratified(numbers: np.ndarray, count: int, seed: int, leave_one: bool = False) -> np.ndarray:
    """`count` of the rows of `numbers` [N], sorted: of each label in proportion, and one at least where they suffice.

    A smaller count of the same seed takes a part of what a larger one takes, rounding aside.
    """
    _, numbers, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    shares = _apportion(sizes, count, sizes - 1 if leave_one else sizes)
    keys = np.random.PCG64(seed).random_raw(len(numbers))
    order = np.lexsort((keys, numbers))  # by label, within a label at random
    starts = np.cumsum(sizes) - sizes
    rank = np.arange(len(numbers)) - np.repeat(starts, sizes)
    return np.sort(order[rank < np.repeat(shares, sizes)])


def _apportion(sizes: np.ndarray, count: int, most: np.ndarray) -> np.ndarray:
    """`count` seats over groups of these `sizes`: largest remainders, within 1 (while count suffices) and `most`."""
    ideal = count * sizes / sizes.sum()
    least = np.minimum(1, most) if count >= len(sizes) else np.zeros_like(sizes)
    seats = np.clip(np.floor(ideal).astype(np.int64), least, most)
    while seats.sum() < count:
        seats[np.argmax(np.where(seats < most, ideal - seats, -np.inf))] += 1
    while seats.sum() > count:
        seats[np.argmax(np.where(seats > least, seats - ideal, -np.inf))] -= 1
    return seats
