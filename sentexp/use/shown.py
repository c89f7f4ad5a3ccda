"""How numbers, tables and lines are shown on the terminal and on the pages of an evaluation or a comparison."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentexp.lines import printable
from sentexp.report.page import SORTING, html_table, web_page
from sentexp.statistics import LEVEL, RESAMPLES, Interval

STYLE = """
h2 { font-size: 1.15rem; margin-top: 2rem; }
th { cursor: pointer; vertical-align: bottom; white-space: normal; }
th.number { text-align: right; }
td { overflow-wrap: anywhere; white-space: pre-line; }
img { max-width: 100%; }
td.number { white-space: pre; }
.wide { overflow-x: auto; }
.right, .wrong { white-space: nowrap; font-weight: 600; }
.right { color: #005a8c; }
.wrong { color: #a84800; }
"""
"""CSS of the pages."""


INTERVAL = f"{100 * LEVEL:g} % interval"
"""Head of a column of intervals."""

INTERVALS = f"Intervals are of {100 * LEVEL:g} %, by a bootstrap of {RESAMPLES:,} resamples of the reviews."
"""What a page says of the intervals of metrics."""


def number(value: float) -> str:
    """Return a metric with four places."""
    return f"{value:.4f}"


def ends(interval: Interval) -> str:
    """Return the ends of an interval, or nothing if it has none."""
    return "" if math.isnan(interval.low) else f"{interval.low:.4f} to {interval.high:.4f}"


def signed(interval: Interval) -> str:
    """Return a difference with the ends of its interval, all with their signs."""
    return f"{interval.value:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


def print_table(console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str]) -> None:
    """Print a table that wraps where the terminal is narrow; `numbers` are the heads of columns on the right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(plain_text(head), justify="right" if head in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(plain_text, row))
    console.print(table)


def print_lines(console: Console, *lines: str) -> None:
    """Print plain lines, of which long ones are wrapped between words."""
    for line in lines:
        console.print(plain_text(line), highlight=False)


def plain_text(text: str) -> Text:
    """Return a text as it is, without markup of rich's, on one line of printable characters."""
    return Text(printable(text))


def page_table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> str:
    """Return an HTML table of plain texts; a click on the name of a column sorts by it."""
    shown = ("".join(_cell(head in numbers, text) for head, text in zip(heads, row, strict=True)) for row in rows)
    return html_table(heads, (f"<tr>{row}</tr>" for row in shown), numbers)


def section(title: str, *content: str) -> str:
    """Return a section of a page; `content` is HTML."""
    return f'<h2>{html.escape(title)}</h2>\n<div class="wide">{"".join(content)}</div>\n'


def paragraph(text: str) -> str:
    """Return a plain text as a paragraph of a page."""
    return f"<p>{html.escape(text)}</p>\n"


def whole_page(title: str, summary: str, sections: Iterable[str]) -> str:
    """Return a page from plain texts and its sections (HTML)."""
    return web_page(title, html.escape(summary), "".join(sections), STYLE, SORTING)


def _cell(is_number: bool, text: str) -> str:
    return f"<td{' class=' + chr(34) + 'number' + chr(34) if is_number else ''}>{html.escape(text)}</td>"
