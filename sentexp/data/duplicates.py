"""Tells equal texts by their hashes, and keeps one of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import datasets
import numpy as np
import pyarrow as pa
import xxhash

from sentexp.data.raw_split import UNLABELLED_SPLIT

TEXTS_PER_BATCH = 5000


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


def text_hashes(rows: datasets.Dataset) -> np.ndarray:
    """Return a hash of each text of a split, uint64 [N]; see `hashes`."""
    batches = rows.select_columns(["text"]).with_format("arrow").iter(TEXTS_PER_BATCH)
    return hashes((batch.column("text") for batch in batches), len(rows))


def hashes(texts: Iterable[pa.Array | pa.ChunkedArray], count: int) -> np.ndarray:
    """Return a hash of each of `count` texts, which come in chunks: uint64 [count]. White space at both ends does not
    count.

    Among a million different texts, two have the same hash in less than 1 of 10^7 cases.
    """
    found = (xxhash.xxh3_64_intdigest((text or "").strip().encode()) for chunk in texts for text in chunk.to_pylist())
    return np.fromiter(found, dtype=np.uint64, count=count)


def without_duplicates(
    texts: Mapping[str, pa.ChunkedArray],
    usable: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    dropped: dict[str, int],
) -> dict[str, np.ndarray]:
    """Return the usable rows without those whose text occurs before: in the same split, or in one that comes earlier
    among test, valid, train and unlabelled.

    Counts them in `dropped`.
    """
    kept = dict(usable)
    taken = np.empty(0, dtype=np.uint64)
    for split in ("test", "valid", "train", UNLABELLED_SPLIT):
        if split not in usable:
            continue
        hashed = hashes(chosen_chunks(texts[split], usable[split]), len(usable[split]))
        _, first = np.unique(hashed, return_index=True)
        keep = np.zeros(len(hashed), dtype=bool)
        keep[first] = True
        elsewhere = np.isin(hashed, taken)
        where = "another split" if split == UNLABELLED_SPLIT else "a split that is not for training"
        for reason, count in (
            ("the same text as an earlier row", (~keep & ~elsewhere).sum()),
            (f"the same text as in {where}", elsewhere.sum()),
        ):
            if count:
                dropped[f"{names[split]}: {reason}"] = int(count)
        kept[split] = usable[split][keep & ~elsewhere]
        taken = np.union1d(taken, hashed)
    return kept
