"""An explanation on the terminal, and as lines for a pipe."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sentexp.report.style import BLUE, VERMILION
from sentexp.use.explanation import Explanation, read_as, strength, visible

if TYPE_CHECKING:
    from rich.text import Text

COLUMNS = ("token", "contribution", "without", "probability", "read as")

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 60
"""Bars of the probability so far; of a longer text each stands for several tokens."""


def table_lines(explanation: Explanation) -> Iterator[str]:
    """Yield a line per token, with tabs between COLUMNS; a figure that does not exist is empty."""
    yield "\t".join(COLUMNS)
    for token in explanation.tokens:
        figures = [
            "" if figure is None else form.format(figure)
            for form, figure in (
                ("{:+.4f}", token.contribution),
                ("{:+.4f}", token.without),
                ("{:.4f}", token.probability),
            )
        ]
        yield "\t".join([visible(token.text), *figures, read_as(token)])


def coloured(explanation: Explanation, *, shades: bool) -> Text:
    """Return the tokens in colour, and below them the probability so far.

    With `shades` their background is the stronger the more they contribute; a terminal of 16 colours has none, and
    shows those of at least half the greatest contribution in bold.
    """
    from rich.style import Style
    from rich.text import Text

    shown = Text()
    for token in explanation.tokens:
        if token.contribution is None:
            style = Style(dim=True, strike=True)
        else:
            share = strength(token, explanation)
            strong = abs(share) >= 0.5
            style = Style(italic=token.unknown, underline=token.unknown)
            if shades:
                shade = _mixed(BLUE if share > 0 else VERMILION, abs(share))
                style += Style(bgcolor=shade, color="white" if strong else "black")
            elif share:
                style += Style(color="blue" if share > 0 else "red", bold=strong)
        if shown:
            shown.append("" if _joins(token.text) else " ")
        shown.append(visible(token.text), style)
    label = visible(explanation.label)
    shown.append(f"\n{_curve(explanation)}  probability of {label} after each token, {BARS[0]} 0 to {BARS[-1]} 1")
    shown.append(
        "\nblue speaks for it, orange against it" if shades else "\nblue speaks for it, red against it", Style(dim=True)
    )
    if any(token.unknown for token in explanation.tokens):
        shown.append("; underlined is what it does not know", Style(dim=True))
    if any(token.contribution is None for token in explanation.tokens):
        shown.append("; struck out is what the model is not given", Style(dim=True))
    return shown


def _joins(token: str) -> bool:
    """Return True for a token of marks that are written without a space before them."""
    return all(unicodedata.category(character) in ("Mn", "Cf") for character in token)


def _mixed(colour: str, share: float) -> str:
    """Return a colour between white and `colour`, as #rrggbb."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)


def _curve(explanation: Explanation) -> str:
    values = [token.probability for token in explanation.tokens if token.probability is not None]
    per_bar = -(-len(values) // WIDEST)
    lasts = [values[min(start + per_bar, len(values)) - 1] for start in range(0, len(values), per_bar)]
    return "".join(BARS[min(int(value * len(BARS)), len(BARS) - 1)] for value in lasts)
