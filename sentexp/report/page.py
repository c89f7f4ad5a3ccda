"""The web pages of reports. Each is one file that loads no other."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

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


SORTING = """
document.querySelectorAll("th").forEach(head => head.addEventListener("click", () => {
  const table = head.closest("table"), column = [...head.parentNode.children].indexOf(head);
  const up = head.dataset.up !== "yes", body = table.tBodies[0];
  const key = row => row.children[column].textContent;
  const order = (a, b) => a !== "" && b !== "" && !isNaN(parseFloat(a)) && !isNaN(parseFloat(b))
    ? parseFloat(a.replaceAll(",", "")) - parseFloat(b.replaceAll(",", "")) : a.localeCompare(b);
  [...body.rows].sort((a, b) => (key(a) === "") - (key(b) === "") || (up ? 1 : -1) * order(key(a), key(b)))
    .forEach(row => body.append(row));
  head.dataset.up = up ? "yes" : "no";
}));
"""
"""JavaScript that sorts a table by the column whose name is clicked; empty cells stay at the end."""


def web_page(title: str, summary: str, body: str, style: str = "", script: str = "") -> str:
    """Return a whole page. `title` is plain text, `summary` and `body` are HTML, `style` is CSS added to STYLE,
    `script` is JavaScript."""
    title = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{summary}</p>\n{body}\n"
        f"{f'<script>{script}</script>' if script else ''}</body>\n</html>\n"
    )


def picture(name: str, file: Path) -> str:
    """Return an image that is inside the page, of a PNG file."""
    content = base64.b64encode(file.read_bytes()).decode("ascii")
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{content}">'


def html_table(heads: Sequence[str], rows: Iterable[str], numbers: Collection[str] = ()) -> str:
    """Return a table from the names of its columns (plain text) and its rows (HTML).

    `numbers` are the columns whose names are aligned to the right.
    """
    classes = {head: ' class="number"' if head in numbers else "" for head in heads}
    shown = "".join(f"<th{classes[head]}>{html.escape(head)}</th>" for head in heads)
    body = "\n".join(rows)
    return f"<table>\n<thead><tr>{shown}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
