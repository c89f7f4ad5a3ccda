"""Encoded reviews in the cache: one entry per combination of reviews, tokenizer, cleaning, vocabulary and layout.

An entry holds the files SPLIT.ids, SPLIT.offsets and SPLIT.labels of each split (see Corpus.open) and vocab.txt. Its
facts are the pipeline's report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sentexp.errors import SentexpError
from sentexp.lines import to_lines
from sentexp.text.cache import Cache, Draft
from sentexp.text.corpus import Corpus
from sentexp.text.encoding import ReviewLayout
from sentexp.text.raw_tokens import RawTokens, ranges
from sentexp.text.vocabulary import Vocabulary

# Shapes: N reviews of a split, W distinct raw tokens

VERSION = (
    2  # of the files, and of how tokens are cleaned and reviews encoded; entries of another version are never found
)
VOCABULARY = "vocab.txt"


class EncodedReviews(NamedTuple):
    vocabulary: Vocabulary
    corpora: dict[str, Corpus]
    report: dict[str, int | float | str]


def find(cache: Cache, key: str, splits: Sequence[str], width: int | None) -> EncodedReviews | None:
    """Open an entry of the cache. Returns None if there is none, and None with a warning if it is damaged."""
    entry = cache.find(key)
    if entry is None:
        return None
    try:
        vocabulary = Vocabulary.load(entry / VOCABULARY)
        corpora = {split: Corpus.open(entry / split, vocabulary.pad_index, width) for split in splits}
        return EncodedReviews(vocabulary, corpora, cache.facts(entry))
    except (OSError, ValueError, KeyError, SentexpError) as error:
        cache.discard(key, error)
        return None


def write_split(
    draft: Draft, split: str, raw: RawTokens, labels: np.ndarray, layout: ReviewLayout, table: np.ndarray
) -> None:
    """Encode one split into a new entry; `table` int32 [W] is that of ReviewLayout.encode."""
    counts: Counter[str] = Counter()
    written = 0
    draft.append(f"{split}.ids", b"")
    draft.append(f"{split}.offsets", np.zeros(1, np.int64))
    for start, stop in ranges(raw.offsets):
        encoded = layout.encode(raw.ids(start, stop), np.diff(raw.offsets[start : stop + 1]), table)
        draft.append(f"{split}.ids", encoded.ids)
        draft.append(f"{split}.offsets", written + np.cumsum(encoded.lengths))
        written += len(encoded.ids)
        counts.update(encoded.counts)
    draft.append(f"{split}.labels", labels)
    draft.facts |= {
        f"{split}/reviews": len(labels),
        f"{split}/raw_tokens": int(raw.offsets[-1]),
        f"{split}/tokens": counts["tokens"],
        f"{split}/unknown_share": counts["unknown"] / max(1, counts["tokens"]),
        f"{split}/truncated": counts["truncated"],
        f"{split}/empty": counts["empty"],
    }


def write_vocabulary(draft: Draft, vocabulary: Vocabulary) -> None:
    draft.append(VOCABULARY, to_lines(vocabulary.itos))
    draft.facts["vocabulary"] = len(vocabulary)


def labels_of(split: Any) -> np.ndarray:
    """Return the labels of a split (a `datasets.Dataset`), int64 [N]."""
    batches = split.select_columns(["label"]).with_format("arrow").iter(100_000)
    labels = [batch.column("label").to_numpy().astype(np.int64) for batch in batches]
    return np.concatenate([np.empty(0, np.int64), *labels])
