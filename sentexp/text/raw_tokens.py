"""The one pass over the raw text: all tokens of a split as ids, before any is dropped, changed or looked up.

The result depends only on the texts, the tokenizer and the cleaning of HTML, so that another vocabulary or another
cleaning of tokens needs no second pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from sentexp.terminal import ProgressCallback
from sentexp.text import workers
from sentexp.text.cache import Cache, Draft, key_of
from sentexp.text.chunk_tokenizer import Index
from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import Tokenizer

# Shapes: N reviews of the split, N_tokens tokens in all of them, W distinct tokens

VERSION = 2  # of the files and of how texts are tokenized; entries of another version are never found

TOKENS, IDS, LENGTHS = "words.json", "numbers", "lengths"
"""Files of an entry; VERSION means these names."""

ID = np.dtype(np.int32)

BYTES_PER_CHUNK = 2_000_000
"""Text in a chunk, about; with less, the work done once per chunk begins to count."""

TOKENS_PER_RANGE = 1_000_000
"""Tokens in memory at a time when they are read back."""

SMALL_BYTES = 20_000_000
"""Text up to which one process is done before others have started."""


@dataclass(frozen=True)
class RawTokens:
    """The tokens of one split, in files."""

    tokens: list[str]
    """The distinct tokens [W], in the order of their first occurrence."""
    offsets: np.ndarray
    """int64 [N + 1]: review n has the tokens from offsets[n] to offsets[n + 1]."""
    file: Path

    @staticmethod
    def open(folder: Path) -> RawTokens:
        """Open an entry of the cache. Raises OSError or ValueError if its files are not as they were written."""
        tokens = json.loads((folder / TOKENS).read_bytes())
        lengths = np.fromfile(folder / LENGTHS, dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        file = folder / IDS
        size = file.stat().st_size
        if size != ID.itemsize * offsets[-1]:
            raise ValueError(f"{IDS}: {size} bytes, expected {ID.itemsize * offsets[-1]}")
        return RawTokens(tokens, offsets, file)

    def ids(self, start: int, stop: int) -> np.ndarray:
        """Read the raw ids (int32, places in `tokens`) of the reviews from `start` to before `stop`.

        Read, not mapped: mapped pages that were touched count as the process's memory.
        """
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return np.fromfile(self.file, dtype=ID, count=last - first, offset=first * ID.itemsize)

    def counts(self) -> np.ndarray:
        """Count how often each token occurs, int64 [W]."""
        counts = np.zeros(len(self.tokens), dtype=np.int64)
        for start, stop in ranges(self.offsets):
            counts += np.bincount(self.ids(start, stop), minlength=len(self.tokens))
        return counts


def ranges(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield ranges of reviews (start, stop) that have at most TOKENS_PER_RANGE tokens, or are a single review."""
    start = 0
    while start < len(offsets) - 1:
        stop = int(np.searchsorted(offsets, offsets[start] + TOKENS_PER_RANGE, side="right")) - 1
        stop = max(stop, start + 1)
        yield start, stop
        start = stop


def tokenize_splits(
    splits: Mapping[str, Any],
    digests: Mapping[str, str],
    *,
    tokenizer: Tokenizer,
    cleaning: Cleaning,
    cache_dir: Path,
    processes: int = 1,
    progress: ProgressCallback | None = None,
) -> dict[str, RawTokens]:
    """Return the tokens of each split, from the cache or tokenized by `processes`.

    A split is a `datasets.Dataset` with a column `text`. Memory does not grow with the number of reviews, except for
    4 bytes each. Raises SentexpError if the cache cannot be written or the tokenizer cannot do its work.
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
                _tokenize(rest, keys, cache, tokenizer, cleaning, processes, progress)
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


def _tokenize(
    splits: Mapping[str, Any],
    keys: Mapping[str, str],
    cache: Cache,
    tokenizer: Tokenizer,
    cleaning: Cleaning,
    processes: int,
    progress: ProgressCallback | None,
) -> None:
    """Tokenize all splits by one pool of processes; each becomes an entry as soon as it is complete."""
    total = sum(len(split) for split in splits.values())
    if sum(len(split) * _bytes_per_review(split) for split in splits.values()) <= SMALL_BYTES:
        processes = 1
    unique = {keys[name]: split for name, split in splits.items()}  # two splits of the same content are one entry
    chunks = (texts for split in unique.values() for texts in _texts(split))
    results = workers.tokenize_chunks(chunks, tokenizer, cleaning, processes if processes > 1 else 0)
    done = 0
    with ExitStack() as stack:
        stack.callback(results.close)  # type: ignore[attr-defined]  # ends the processes
        for key, split in unique.items():
            index, done_of_split = Index(), 0
            with cache.new(key) as draft:
                while done_of_split < len(split):
                    chunk = next(results)
                    places, _ = index.ids([chunk.tokens])
                    draft.append(IDS, places[chunk.ids])
                    draft.append(LENGTHS, chunk.lengths.astype(np.int32))
                    done_of_split += len(chunk.lengths)
                    done += len(chunk.lengths)
                    if progress is not None:
                        progress(done, total, "tokenizing")
                _finish(draft, index)


def _finish(draft: Draft, index: Index) -> None:
    for name in (IDS, LENGTHS):  # there even if nothing was appended
        draft.append(name, b"")
    draft.append(TOKENS, json.dumps(index.strings).encode())


def _texts(split: Any) -> Iterator[list[str]]:
    """Yield the texts in chunks of about BYTES_PER_CHUNK."""
    batch_size = max(1, min(5000, int(BYTES_PER_CHUNK / max(1.0, _bytes_per_review(split)))))
    for batch in split.select_columns(["text"]).with_format("arrow").iter(batch_size):
        yield batch.column("text").to_pylist()


def _bytes_per_review(split: Any) -> float:
    """Return the mean size of 100 texts spread over the split."""
    if not len(split):
        return 0.0
    rows = np.unique(np.linspace(0, len(split) - 1, 100).astype(int)).tolist()
    sample = split.select_columns(["text"]).with_format("arrow")[rows]
    return pc.mean(pc.binary_length(sample.column("text"))).as_py()
