"""The web pages of reports. Each is one file that loads no other."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Sequence

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem auto; max-width: 72rem;
       padding: 0 1rem; }
h1 { font-size: 1.4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .5rem .7rem; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #222; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
"""
"""CSS of all pages."""


def web_page(title: str, summary: str, body: str, style: str = "") -> str:
    """Return a whole page. `title` is plain text, `summary` and `body` are HTML, `style` is CSS added to STYLE."""
    title = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{summary}</p>\n{body}\n</body>\n</html>\n"
    )


def html_table(heads: Sequence[str], rows: Iterable[str], numbers: Collection[str] = ()) -> str:
    """Return a table from the names of its columns (plain text) and its rows (HTML).

    `numbers` are the columns whose names are aligned to the right.
    """
    classes = {head: ' class="number"' if head in numbers else "" for head in heads}
    shown = "".join(f"<th{classes[head]}>{html.escape(head)}</th>" for head in heads)
    body = "\n".join(rows)
    return f"<table>\n<thead><tr>{shown}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
