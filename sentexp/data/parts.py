"""A split as it is made: chosen rows of one raw split, or of several one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import datasets
import numpy as np
import pyarrow as pa
import xxhash

from sentexp.data.duplicates import chosen_chunks, hashes
from sentexp.data.raw_split import RawSplit

# Shapes: N rows of a raw split


class Part(NamedTuple):
    """Chosen rows of one raw split."""

    raw: RawSplit
    numbers: np.ndarray
    """Label number of each row of the raw split, int64 [N]."""
    rows: np.ndarray
    """The chosen rows, int64, ascending."""

    def chosen(self, places: np.ndarray) -> Part:
        """Return the part with only those rows whose places among the chosen ones are `places`, ascending."""
        return Part(self.raw, self.numbers, self.rows[places])

    def chunks(self) -> Iterable[pa.Array]:
        """Return the chosen texts."""
        return chosen_chunks(self.raw.rows.data.column("text"), self.rows)

    def hashes(self) -> np.ndarray:
        """Return a hash of each chosen text, uint64; see `sentexp.data.duplicates.hashes`."""
        return hashes(self.chunks(), len(self.rows))

    def table(self) -> datasets.Dataset:
        """Return the chosen rows with numbers in place of labels; the texts stay where they are."""
        labels = datasets.Dataset(pa.table({"label": pa.array(self.numbers)}))
        whole = datasets.concatenate_datasets([self.raw.rows.select_columns(["text"]), labels], axis=1)
        return whole if len(self.rows) == len(whole) else whole.select(self.rows)


def table_of(parts: Sequence[Part]) -> datasets.Dataset:
    """Return the rows of all parts as one table of text and label."""
    tables = [part.table() for part in parts]
    if len({str(table.features["text"]) for table in tables}) > 1:
        tables = [table.cast_column("text", datasets.Value("large_string")) for table in tables]
    return tables[0] if len(tables) == 1 else datasets.concatenate_datasets(tables)


def digest_of(parts: Sequence[Part]) -> str:
    """Return the digest of the texts and label numbers of all parts."""
    return digest(
        chain.from_iterable(part.chunks() for part in parts),
        np.concatenate([part.numbers[part.rows] for part in parts]),
    )


def place_of(parts: Sequence[Part], row: int) -> str:
    """Return where row `row` of the split that the parts make stands in its source."""
    for part in parts:
        if row < len(part.rows):
            return part.raw.where(int(part.rows[row]))
        row -= len(part.rows)
    raise IndexError(f"row {row} is behind the last one")


def digest(texts: Iterable[pa.Array], numbers: np.ndarray) -> str:
    """Hash texts, which come in chunks, and their label numbers [N] to 32 hexadecimal digits; other chunks of the same
    texts give the same."""
    lengths, content = xxhash.xxh3_128(), xxhash.xxh3_128()
    for chunk in texts:
        chunk = chunk.cast(pa.large_string())
        # A slice shares its parent's buffers: only what lies between its own offsets counts.
        offsets = np.frombuffer(chunk.buffers()[1], dtype="<i8")[chunk.offset : chunk.offset + len(chunk) + 1]
        lengths.update(np.diff(offsets).tobytes())
        if offsets[-1] > offsets[0]:
            content.update(memoryview(chunk.buffers()[2])[offsets[0] : offsets[-1]])
    labels = np.ascontiguousarray(numbers, dtype="<i8").tobytes()
    return xxhash.xxh3_128(lengths.digest() + content.digest() + labels).hexdigest()
