"""The one pass over the raw text: all words of a split as numbers, before anything is dropped, changed or looked up.

Depends on the texts, the tokenizer and the cleaning of HTML alone, so that another vocabulary or another cleaning of
words needs no second pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from sentexp.text import workers
from sentexp.text.cache import Cache, Draft, key_of
from sentexp.text.chunk_tokenizer import Numbering
from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import Tokenizer

# Shapes: N reviews of the split, N_tokens words in all of them, W distinct words

Progress = Callable[[int, int, str], None]
"""Called with (reviews done, reviews in all, what is being done)."""

VERSION = 1  # of the files and of what tokenizing does; another one never meets the entries of this one

CHUNK_BYTES = 2_000_000
"""Text of one chunk, about; below this, what is done once a chunk begins to count."""

CHUNK_TOKENS = 1_000_000
"""Words read back at a time."""

NUMBER = np.dtype(np.int32)

SMALL_BYTES = 20_000_000
"""Up to here one process is done before others have started."""


@dataclass(frozen=True)
class RawTokens:
    """One split, in files."""

    words: list[str]
    """The distinct words [W], in the order of their first occurrence."""
    offsets: np.ndarray
    """int64 [N + 1], where each review begins and ends among all words."""
    file: Path

    @staticmethod
    def open(folder: Path) -> RawTokens:
        """Raises OSError or ValueError if the files are not what `raw_tokens` writes."""
        words = json.loads((folder / "words.json").read_bytes())
        lengths = np.fromfile(folder / "lengths", dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        file = folder / "numbers"
        size = file.stat().st_size
        if size != NUMBER.itemsize * offsets[-1]:
            raise ValueError(f"numbers: {size} bytes, expected {NUMBER.itemsize * offsets[-1]}")
        return RawTokens(words, offsets, file)

    def numbers(self, start: int, stop: int) -> np.ndarray:
        """int32, places in `words`: those of the reviews from `start` to before `stop`.

        Read, not mapped: mapped pages that have been seen count as the process's memory.
        """
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return np.fromfile(self.file, dtype=NUMBER, count=last - first, offset=first * NUMBER.itemsize)

    def counts(self) -> np.ndarray:
        """int64 [W], how often each word occurs."""
        counts = np.zeros(len(self.words), dtype=np.int64)
        for start, stop in chunks(self.offsets):
            counts += np.bincount(self.numbers(start, stop), minlength=len(self.words))
        return counts


def chunks(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of reviews (from, to) with about CHUNK_TOKENS words each."""
    start = 0
    while start < len(offsets) - 1:
        stop = int(np.searchsorted(offsets, offsets[start] + CHUNK_TOKENS, side="right")) - 1
        stop = max(stop, start + 1)
        yield start, stop
        start = stop


def raw_tokens(
    splits: Mapping[str, Any],
    digests: Mapping[str, str],
    *,
    tokenizer: Tokenizer,
    cleaning: Cleaning,
    cache_dir: Path,
    processes: int = 1,
    progress: Progress | None = None,
) -> dict[str, RawTokens]:
    """The words of each split (a `datasets.Dataset` with a column `text`), from the cache or read by `processes`.

    Memory does not grow with the number of reviews, except for 4 bytes each. Raises SentexpError if the cache cannot be
    written or the tokenizer cannot do its work.
    """
    cache = Cache(cache_dir, "tokens")
    keys = {split: key_of(VERSION, digests[split], tokenizer.key, cleaning.html) for split in splits}
    found = {split: _find(cache, key) for split, key in keys.items()}
    missing = [split for split, tokens in found.items() if tokens is None]
    if missing:
        with cache.alone(keys[split] for split in missing):
            # another process may have built some of them while this one waited
            found |= {split: _find(cache, keys[split]) for split in missing}
            missing = [split for split in missing if found[split] is None]
            if missing:
                rest = {split: splits[split] for split in missing}
                _read(rest, keys, cache, tokenizer, cleaning, processes, progress)
    return {split: tokens or RawTokens.open(cache.folder / keys[split]) for split, tokens in found.items()}


def _find(cache: Cache, key: str) -> RawTokens | None:
    entry = cache.find(key)
    if entry is None:
        return None
    try:
        return RawTokens.open(entry)
    except (OSError, ValueError) as error:
        cache.discard(key, error)
        return None


def _read(
    splits: Mapping[str, Any],
    keys: Mapping[str, str],
    cache: Cache,
    tokenizer: Tokenizer,
    cleaning: Cleaning,
    processes: int,
    progress: Progress | None,
) -> None:
    """One pool of processes for all splits; each becomes an entry as soon as it is through."""
    total = sum(len(split) for split in splits.values())
    if sum(len(split) * _bytes_per_review(split) for split in splits.values()) <= SMALL_BYTES:
        processes = 1
    unique = {keys[name]: split for name, split in splits.items()}  # two splits of the same content are one entry
    chunks = (texts for split in unique.values() for texts in _texts(split))
    results = workers.read_all(chunks, tokenizer, cleaning, processes)
    done = 0
    with ExitStack() as stack:
        stack.callback(results.close)  # type: ignore[attr-defined]  # ends the processes
        for key, split in unique.items():
            numbering, read = Numbering(), 0
            with cache.new(key) as draft:
                while read < len(split):
                    chunk = next(results)
                    place = np.fromiter(map(numbering.__getitem__, chunk.words), np.int32, count=len(chunk.words))
                    draft.append("numbers", place[chunk.numbers])
                    draft.append("lengths", chunk.lengths.astype(np.int32))
                    read += len(chunk.lengths)
                    done += len(chunk.lengths)
                    if progress is not None:
                        progress(done, total, "tokenizing")
                _finish(draft, numbering)


def _finish(draft: Draft, numbering: Numbering) -> None:
    for name in ("numbers", "lengths"):  # there even if nothing was appended
        draft.append(name, b"")
    draft.append("words.json", json.dumps(numbering.words).encode())


def _texts(split: Any) -> Iterator[list[str]]:
    """The texts in chunks of about CHUNK_BYTES."""
    batch_size = max(1, min(5000, int(CHUNK_BYTES / max(1.0, _bytes_per_review(split)))))
    for batch in split.select_columns(["text"]).with_format("arrow").iter(batch_size):
        yield batch.column("text").to_pylist()


def _bytes_per_review(split: Any) -> float:
    """Mean of some of the texts, spread over the split."""
    if not len(split):
        return 0.0
    rows = np.unique(np.linspace(0, len(split) - 1, 100).astype(int)).tolist()
    sample = split.select_columns(["text"]).with_format("arrow")[rows]
    return pc.mean(pc.binary_length(sample.column("text"))).as_py()
