"""The web pages of reports. Each is one file that loads no other."""

from __future__ import annotations

import base64
import html
import re
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


SORTING = r"""
const number = text =>
  /^[-+]?([\d,]+\.?\d*|\.\d+)(e[-+]?\d+)?( ± .*)?$/i.test(text) ? parseFloat(text.replaceAll(",", "")) : NaN;
const order = (a, b) => {
  const x = number(a), y = number(b);
  return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) || a.localeCompare(b, undefined, {numeric: true}) : x - y;
};
document.querySelectorAll("th").forEach(head => head.addEventListener("click", () => {
  const heads = [...head.parentNode.children], column = heads.indexOf(head), body = head.closest("table").tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  const key = row => row.children[column].textContent;
  [...body.rows].sort((a, b) => (key(a) === "") - (key(b) === "") || (up ? 1 : -1) * order(key(a), key(b)))
    .forEach(row => body.append(row));
  heads.forEach(one => one.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
}));
"""
"""JavaScript that sorts a table by the column whose name is clicked, and by a second click the other way round.

Numbers, such as 1,024 and 0.8712 ± 0.0103, stand in the order of their values, before texts; empty cells stay at the
end."""


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
    shown = "".join(f"<th{classes[head]}>{_breakable(head)}</th>" for head in heads)
    body = "\n".join(rows)
    return f"<table>\n<thead><tr>{shown}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _breakable(key: str) -> str:
    """Return a name as HTML that may go on in the next line after each of its parts, such as best/ valid_ accuracy."""
    return re.sub(r"(?<=[./_])(?=[^./_])", "<wbr>", html.escape(key))
