"""The most confident mistakes, for people to read: as a table and as a web page."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sentexp.report.page import html_table, web_page

# Shapes: N reviews

LONGEST_SHOWN = 300
"""Characters of a review that the page shows at first; the rest unfolds."""
LONGEST_KEPT = 20_000
"""Characters of a review that are kept."""

STYLE = """
td.review { overflow-wrap: anywhere; white-space: pre-line; }
.true { color: #005a8c; font-weight: 600; }
.predicted { color: #a84800; font-weight: 600; }
summary { cursor: pointer; }
"""


def most_confident(
    confidence: np.ndarray,
    answers: np.ndarray,
    labels: np.ndarray,
    lengths: np.ndarray,
    texts: Sequence[str],
    names: Sequence[str],
    most: int = 50,
) -> pd.DataFrame:
    """Return the `most` most confident mistakes, the most confident first.

    `confidence`, `answers` (predicted classes), `labels` (true classes) and `lengths` in tokens are [N]. The columns
    are row (in the split, from 0), text, true, predicted, confidence and words (the length).
    """
    wrong = np.flatnonzero(answers != labels)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return pd.DataFrame(
        {
            "row": rows,
            "text": [_cut(str(texts[int(row)]), LONGEST_KEPT) for row in rows],
            "true": [names[label] for label in labels[rows]],
            "predicted": [names[answer] for answer in answers[rows]],
            "confidence": confidence[rows].astype(float),
            "words": lengths[rows],
        }
    )


def mistakes_page(mistakes: pd.DataFrame, wrong: int, total: int, split: str, note: str = "") -> str:
    """Return the table of `most_confident` as a web page; `wrong` of `total` reviews of the split were mistakes.

    `note` is a line that stands at its head.
    """
    title = f"Most confident mistakes, {split} split"
    if wrong == 0:
        summary = f"No mistake among {total:,} reviews."
    else:
        summary = (
            f"{len(mistakes):,} of {wrong:,} mistakes among {total:,} reviews, the most confident first. "
            "It may be the label that is wrong. A long review unfolds with a click."
        )
    summary = f"{html.escape(note)}<br>{summary}" if note else summary
    heads = ("row", "review", "true", "predicted", "confidence", "words")
    rows = (_table_row(*mistake) for mistake in mistakes.itertuples(index=False))
    return web_page(title, summary, html_table(heads, rows) if wrong else "", STYLE)


def _table_row(row: int, text: str, true: str, predicted: str, confidence: float, words: int) -> str:
    shown = html.escape(_cut(text, LONGEST_SHOWN))
    if len(text) > LONGEST_SHOWN:
        rest = html.escape(text[LONGEST_SHOWN - 1 :])
        shown = f"<details><summary>{shown}</summary>…{rest}</details>"
    return (
        f'<tr><td class="number">{row}</td><td class="review">{shown}</td><td class="true">{html.escape(true)}</td>'
        f'<td class="predicted">{html.escape(predicted)}</td><td class="number">{100 * confidence:.1f} %</td>'
        f'<td class="number">{words:,}</td></tr>'
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
