"""The most confident mistakes, to be read by people: as a page and as a table."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd

LONGEST_SHOWN = 300  # characters of a review; the rest unfolds
LONGEST_KEPT = 20_000

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem auto; max-width: 72rem;
       padding: 0 1rem; }
h1 { font-size: 1.4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .5rem .7rem; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #222; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
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
    """The mistakes, the most confident first: row (in the split, from 0), text, true, predicted, confidence, words."""
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


def page(mistakes: pd.DataFrame, wrong: int, total: int, split: str) -> str:
    """`mistakes` as a web page that needs nothing else; `wrong` of `total` reviews of the split were mistakes."""
    title = f"Most confident mistakes, {split} split"
    if wrong == 0:
        summary = f"No mistake among {total:,} reviews."
    else:
        summary = (
            f"{len(mistakes):,} of {wrong:,} mistakes among {total:,} reviews, the most confident first. "
            "It may be the label that is wrong. A long review unfolds with a click."
        )
    heads = "".join(f"<th>{name}</th>" for name in ("row", "review", "true", "predicted", "confidence", "words"))
    rows = "\n".join(_table_row(*mistake) for mistake in mistakes.itertuples(index=False))
    table = f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>" if wrong else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{html.escape(title)}</h1>\n<p>{summary}</p>\n{table}\n</body>\n</html>\n"
    )


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
