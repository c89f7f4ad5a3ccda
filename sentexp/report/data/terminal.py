"""The report of a data set on the terminal, in 80 columns."""

from __future__ import annotations

import textwrap

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentexp.inspection.inspect import Inspection
from sentexp.lines import printable
from sentexp.report.data.tables import left_out, rows_of

WIDTH = 80
MOST_LABELS = 20
"""Labels that are shown."""
LONGEST_NAME = 30
"""Characters of a label that are shown."""
BARS = "·▁▂▃▄▅▆▇█"
BINS = 12
LONGEST = 220
"""Characters of a review that are shown."""


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print what is known of a data set, the warnings last, where they are still seen."""
    _line(console, f"data: {inspection.reviews.source}")
    console.print()
    console.print(_splits(inspection))
    labels = len(inspection.reviews.labels)
    if labels > MOST_LABELS:
        _line(console, f"{labels - MOST_LABELS:,} more labels; --output FOLDER writes all")
    _words(inspection, console)
    _samples(inspection, console)
    if left_out(inspection):
        _heading(console, "left out")
        for reason, count in left_out(inspection):
            _line(console, f"{count:,}  {reason}")
    _heading(console, f"{len(inspection.findings) or 'no'} warning{'' if len(inspection.findings) == 1 else 's'}")
    for finding in inspection.findings:
        _line(console, f"{'!!' if finding.grave else '! '} {finding.line}", style="bold" if finding.grave else "")


def _splits(inspection: Inspection) -> Table:
    gap = 2 if len(inspection.splits) < 4 else 0  # beside the space that the box has
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    table.add_column("", no_wrap=True, max_width=LONGEST_NAME)
    for split in inspection.splits:
        table.add_column(split, justify="right", no_wrap=True)
    labels = len(inspection.reviews.labels)
    for place, (name, cells) in enumerate(rows_of(inspection)):
        if place <= MOST_LABELS or place > labels:
            table.add_row(Text(printable(name)), *cells)
    last = inspection.splits["train"].quantile(0.99)
    table.add_row(f"lengths, 0 to {last:,}", *(histogram(facts.lengths, last) for facts in inspection.splits.values()))
    return table


def histogram(lengths: np.ndarray, last: int) -> str:
    """Return the counts of lengths from 0 to `last` in BINS bins as a line of bars; a bin that is not empty shows."""
    counts, _ = np.histogram(lengths, BINS, (0, max(1, last)))
    heights = np.ceil(counts / max(1, counts.max()) * (len(BARS) - 1)).astype(int)
    return "".join(BARS[height] for height in heights)


def _words(inspection: Inspection, console: Console) -> None:
    shown = {_short(label, LONGEST_NAME): words for label, words in inspection.words.items() if words}
    if shown:
        _heading(console, "words that set a label apart")
        widest = max(map(len, shown))
        for label, words in shown.items():
            _paragraph(console, f"{label:<{widest}}  ", " ".join(word.word for word in words))


def _samples(inspection: Inspection, console: Console) -> None:
    _heading(console, "what the model reads of some training reviews")
    for sample in inspection.samples:
        _line(console, f"{sample.place} ({sample.label})", style="bold")
        for shown in (sample.text, " ".join(sample.tokens)):
            _paragraph(console, "  ", _short(shown, LONGEST))


def _short(text: str, longest: int) -> str:
    text = " ".join(printable(text).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _heading(console: Console, words: str) -> None:
    console.print()
    console.print(Text(words, style="bold"))


def _paragraph(console: Console, first: str, text: str) -> None:
    """Print a text in lines of WIDTH, the first of them behind `first`, the others below its beginning."""
    for line in textwrap.wrap(printable(text), WIDTH, initial_indent=first, subsequent_indent=" " * len(first)):
        _line(console, line)


def _line(console: Console, words: str, style: str = "") -> None:
    """Print words as one line, which only the terminal itself may break: another program reads it whole."""
    console.print(Text(printable(words), style=style), soft_wrap=True)
