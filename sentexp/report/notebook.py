"""How a result shows itself in a notebook: a title, a short table and a few lines. The notebook styles the table."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def notebook_table(title: str, rows: Iterable[Sequence[str]], lines: Iterable[str] = ()) -> str:
    """Return HTML for `_repr_html_` of plain texts: a title, the rows of a table, and lines below it.

    notebook_table("Run demo", [("test accuracy", "0.9750")], ["model: outputs/model"])
    """
    cells = ("".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    below = "<br>".join(map(html.escape, lines))
    return f"<div><b>{html.escape(title)}</b>\n<table><tbody>{body}</tbody></table>\n<p>{below}</p></div>"
