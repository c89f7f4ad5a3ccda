"""The report of a data set as a web page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sentexp.inspection.inspect import Inspection
from sentexp.report.data.tables import equal_table, left_out, rows_of
from sentexp.report.page import html_table, picture, web_page

STYLE = """
h2 { font-size: 1.15rem; margin-top: 2rem; }
th, td { padding: .3rem .6rem; }
th.number { text-align: right; }
td { overflow-wrap: anywhere; }
td.text { white-space: pre-line; }
img { max-width: 100%; }
li.grave { color: #a84800; font-weight: 600; }
"""
MOST_SHOWN = 50
"""Reviews with equal texts on the page; equal_texts.csv has more."""
LONGEST = 600
"""Characters of a review that are shown."""


def data_page(inspection: Inspection, pictures: Mapping[str, Path]) -> str:
    """Return the page; `pictures` are PNG files by their name, which are put into it."""
    splits = list(inspection.splits)
    parts = [
        _section("Warnings", _warnings(inspection)),
        _section("Splits", _table(["", *splits], [(name, *cells) for name, cells in rows_of(inspection)], splits)),
        _section("Pictures", "".join(picture(name, file) for name, file in pictures.items())),
    ]
    words = [(label, ", ".join(word.word for word in words)) for label, words in inspection.words.items()]
    parts.append(_section("Words that set a label apart", _table(["label", "words"], words)))
    samples = [(one.place, one.label, _cut(one.text), _cut(" ".join(one.tokens))) for one in inspection.samples]
    heads = ["place", "label", "review", "as the model reads it"]
    parts.append(_section("Some training reviews", _table(heads, samples)))
    equal = equal_table(inspection)
    if len(equal):
        rows = [(*row[:-1], _cut(row[-1])) for row in equal.head(MOST_SHOWN).itertuples(index=False)]
        more = f"<p>{len(equal) - MOST_SHOWN:,} more in equal_texts.csv</p>" if len(equal) > MOST_SHOWN else ""
        parts.append(_section("Equal texts", _table(list(equal.columns), rows, ["text"]) + more))
    if left_out(inspection):
        rows = [(f"{count:,}", reason) for reason, count in left_out(inspection)]
        parts.append(_section("Left out", _table(["count", "reason"], rows, ["count"])))
    return web_page("Data", html.escape(inspection.reviews.source), "".join(parts), STYLE)


def _warnings(inspection: Inspection) -> str:
    if not inspection.findings:
        return "<p>none</p>"
    lines = [
        f'<li class="{"grave" if finding.grave else "minor"}">{html.escape(finding.line)}</li>'
        for finding in inspection.findings
    ]
    return f"<ul>{''.join(lines)}</ul>"


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>\n{content}\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = ()) -> str:
    return html_table(heads, (_row(heads, row, numbers) for row in rows), numbers)


def _row(heads: Sequence[str], row: Sequence[object], numbers: Sequence[str]) -> str:
    kinds = ("number" if head in numbers else "text" for head in heads)
    cells = (f'<td class="{kind}">{html.escape(str(cell))}</td>' for kind, cell in zip(kinds, row, strict=True))
    return f"<tr>{''.join(cells)}</tr>"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
