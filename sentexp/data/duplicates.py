"""Finds equal texts: within a split, in two splits, with two labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import xxhash

Rows = Mapping[str, tuple[str, np.ndarray]]
"""By split: the raw split that its rows are taken from, and their places there, sorted int64."""


def chosen_chunks(column: pa.ChunkedArray, rows: np.ndarray) -> Iterator[pa.Array]:
    """Yield the chosen rows (sorted) of each chunk."""
    start = 0
    for chunk in column.chunks:
        stop = start + len(chunk)
        low, high = np.searchsorted(rows, (start, stop))
        if high - low == len(chunk):
            yield chunk
        elif high > low:
            yield chunk.take(pa.array(rows[low:high] - start))
        start = stop


def hashes(texts: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    """Return a hash of each chosen text, uint64 [rows]. White space at both ends does not count.

    Among a million different texts, two have the same hash in less than 1 of 10^7 cases.
    """
    found = (
        xxhash.xxh3_64_intdigest((text or "").strip().encode())
        for chunk in chosen_chunks(texts, rows)
        for text in chunk.to_pylist()
    )
    return np.fromiter(found, dtype=np.uint64, count=len(rows))


def without_duplicates(
    texts: Mapping[str, pa.ChunkedArray],
    usable: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    skipped: dict[str, int],
) -> dict[str, np.ndarray]:
    """Return the usable rows without those whose text occurs before: in the same split, or in test, or in valid.

    Counts them in `skipped`.
    """
    kept = dict(usable)
    taken = np.empty(0, dtype=np.uint64)
    for split in ("test", "valid", "train"):
        if split not in usable:
            continue
        hashed = hashes(texts[split], usable[split])
        _, first = np.unique(hashed, return_index=True)
        keep = np.zeros(len(hashed), dtype=bool)
        keep[first] = True
        elsewhere = np.isin(hashed, taken)
        for reason, count in (
            ("the same text as an earlier row", (~keep & ~elsewhere).sum()),
            ("the same text as in a split that is not for training", elsewhere.sum()),
        ):
            if count:
                skipped[f"{names[split]}: {reason}"] = int(count)
        kept[split] = usable[split][keep & ~elsewhere]
        taken = np.union1d(taken, hashed)
    return kept


def duplicates(texts: Mapping[str, pa.ChunkedArray], numbers: Mapping[str, np.ndarray], parts: Rows) -> list[str]:
    """Return a line about equal texts in train, valid and test, if there are any.

    `numbers` has the label number of each row of each raw split.
    """
    hashed = {split: hashes(texts[origin], rows) for split, (origin, rows) in parts.items()}
    labels = {split: numbers[origin][rows] for split, (origin, rows) in parts.items()}
    found = []
    for split in ("test", "valid"):
        count = int(np.isin(hashed[split], hashed["train"]).sum())
        if count:
            found.append(f"{count:,} of {len(hashed[split]):,} {split} reviews are also in train")
    again = sum(len(of_split) - len(np.unique(of_split)) for of_split in hashed.values())
    if again:
        found.append(f"{again:,} repeat an earlier one of their split")
    every, of_every = np.concatenate(list(hashed.values())), np.concatenate(list(labels.values()))
    pairs = np.unique(np.stack([every, of_every.astype(np.uint64)]), axis=1)
    _, counts = np.unique(pairs[0], return_counts=True)
    conflicting = int((counts > 1).sum())
    if conflicting:
        found.append(f"{conflicting:,} texts have two labels")
    return [f"equal texts: {', '.join(found)}; data.drop_duplicates=true keeps one of each"] if found else []
