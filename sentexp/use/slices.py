"""Parts of a split on which a model may do better or worse than on the whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from sentexp.report.run.by_length import bin_edges, bin_names
from sentexp.statistics import wilson

# Shapes: N reviews

QUARTERS = (0, 0.25, 0.5, 0.75, 1)
"""Shares of the reviews at which the slices by length are cut."""

UNKNOWN = (0.0, 0.05, 0.1, 0.2, 1.0)
"""Shares of unknown words at which the slices by them are cut."""

NEGATION = re.compile(
    r"\b(?:not|cannot|never|no|none|nobody|nothing|nowhere|neither|nor|without|hardly|barely|scarcely)\b|n\s?['’]t\b"
    r"|\b(?:ain|aren|can|couldn|didn|doesn|don|hadn|hasn|haven|isn|shouldn|wasn|weren|won|wouldn)['’]?t\b",
    re.IGNORECASE,
)
"""English negations, also written as in `do n 't` and `dont`."""


class Slice(NamedTuple):
    kind: str
    """By what the split is cut: length, negation, unknown words or label."""
    name: str
    """Which part it is."""
    rows: np.ndarray
    """Whether each review is part of it, bool [N]."""


def slices(
    lengths: np.ndarray,
    known_words: np.ndarray,
    labels: np.ndarray,
    texts: Iterable[str],
    *,
    names: Sequence[str],
    language: str,
) -> tuple[list[Slice], list[str]]:
    """Cut a split by length, negation, unknown words and label; return the slices and a note for what is not cut.

    Takes lengths in tokens [N], shares of known words [N], labels [N] and texts [N], the `names` of the classes, and
    the code of the tokenizer's language: the words of negation are English. Slices without a review are left out.
    """
    found = [*_by_length(lengths)]
    notes = []
    if language == "en":
        negated = np.array([NEGATION.search(text) is not None for text in texts], dtype=bool)
        found += [Slice("negation", "not, n't, no, never ...", negated), Slice("negation", "none", ~negated)]
    else:
        notes.append(f"no slices by negation: its words are English, tokenizer.language is {language}")
    found += _by_unknown_words(1 - known_words)
    found += [Slice("label", name, labels == number) for number, name in enumerate(names)]
    return [one for one in found if one.rows.any()], notes


def slice_table(parts: Sequence[Slice], right: np.ndarray) -> pd.DataFrame:
    """Return one row per slice: slice, part, reviews, accuracy, and low and high, the ends of its interval.

    The interval is Wilson's, which tells something also where all answers are right. `right` [N] is whether each answer
    was right.
    """
    reviews = np.array([part.rows.sum() for part in parts], dtype=int)
    hits = np.array([right[part.rows].sum() for part in parts], dtype=int)
    low, high = wilson(hits, reviews)
    kinds, names = [part.kind for part in parts], [part.name for part in parts]
    return pd.DataFrame(
        {"slice": kinds, "part": names, "reviews": reviews, "accuracy": hits / reviews, "low": low, "high": high}
    )


def _by_length(lengths: np.ndarray) -> Iterator[Slice]:
    edges = bin_edges(lengths, QUARTERS)
    for name, (first, after) in zip(bin_names(edges), pairwise(edges), strict=True):
        yield Slice("length", "1 word" if name == "1" else f"{name} words", (lengths >= first) & (lengths < after))


def _by_unknown_words(unknown: np.ndarray) -> Iterator[Slice]:
    yield Slice("unknown words", "none", unknown <= 0)
    for low, high in pairwise(UNKNOWN):
        first, last = f"{100 * low:g} %", f"{100 * high:g} %"
        name = f"up to {last}" if low == 0 else f"{first} to {last}" if high < 1 else f"above {first}"
        yield Slice("unknown words", name, (unknown > low) & (unknown <= high))
