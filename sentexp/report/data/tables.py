"""What the terminal, the page and the csv files of a data set's report show."""

from __future__ import annotations

import pandas as pd

from sentexp.inspection.inspect import Inspection
from sentexp.inspection.splits import SplitFacts, percent
from sentexp.text.corpus import UNLABELLED

MOST_GROUPS = 1000
"""Equal texts that are written out."""


def rows_of(inspection: Inspection) -> list[tuple[str, list[str]]]:
    """Return the rows of the table of splits: what is counted, and its value per split."""
    splits, equal = inspection.splits, inspection.equal
    table = [("reviews", [f"{len(facts.lengths):,}" for facts in splits.values()])]
    for number, name in enumerate(inspection.reviews.labels):
        table.append((f"  {name}", [_count_of(facts, number) for facts in splits.values()]))
    table.append(("tokens: median", [f"{facts.quantile(0.5):,}" for facts in splits.values()]))
    table.append(("  95 % have at most", [f"{facts.quantile(0.95):,}" for facts in splits.values()]))
    table.append(("  longest", [f"{int(facts.lengths.max()):,}" for facts in splits.values()]))
    if inspection.bound is not None:
        cut = [percent(facts.cut(inspection.bound)) for facts in splits.values()]
        table.append((f"  cut at {inspection.bound:,}", cut))
    table.append(("not in the vocabulary", [percent(facts.unknown_share) for facts in splits.values()]))
    table.append(("no word after cleaning", [f"{facts.wordless:,}" for facts in splits.values()]))
    table.append(("repeated in the split", [f"{equal.repeated[split]:,}" for split in splits]))
    for train in (split for split in ("train", "unlabelled", "valid") if split in splits):
        shared = [equal.shared.get((split, train)) for split in splits]
        table.append((f"text also in {train}", ["" if count is None else f"{count:,}" for count in shared]))
    return table


def words_table(inspection: Inspection) -> pd.DataFrame:
    """Return one row per telling word: label, word, score, count, elsewhere."""
    rows = [
        (label, word.word, word.score, word.count, word.elsewhere)
        for label, words in inspection.words.items()
        for word in words
    ]
    return pd.DataFrame(rows, columns=["label", "word", "score", "count", "elsewhere"])


def equal_table(inspection: Inspection) -> pd.DataFrame:
    """Return one row per review whose text occurs more than once: text (its number), split, place, label, review.

    Texts with two labels come first, then those in two splits; after MOST_GROUPS texts the table ends.
    """
    reviews, rows = inspection.reviews, []
    for number, group in enumerate(inspection.equal.groups[:MOST_GROUPS], 1):
        for review in group.tolist():
            split, row = inspection.equal.place(review)
            found = reviews.splits[split][row]
            label = "" if found["label"] == UNLABELLED else reviews.labels[found["label"]]
            rows.append((number, split, reviews.where(split, row), label, found["text"]))
    return pd.DataFrame(rows, columns=["text", "split", "place", "label", "review"])


def left_out(inspection: Inspection) -> list[tuple[str, int]]:
    """Return why rows and files of the source are not among the reviews, and how many."""
    return [*inspection.reviews.skipped.items(), *inspection.reviews.dropped.items()]


def _count_of(facts: SplitFacts, number: int) -> str:
    if not facts.labelled:
        return ""
    return f"{facts.counts[number]:,} ({percent(facts.counts[number] / facts.counts.sum())})"
