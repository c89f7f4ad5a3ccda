"""Explanations as a web page: one file that loads no other."""

from __future__ import annotations

import html
from collections.abc import Sequence

from sentexp.report.page import html_table, web_page
from sentexp.report.style import BLUE, VERMILION
from sentexp.use.explanation import ExplainedToken, Explanation, heading, html_tokens, read_as, visible
from sentexp.use.explanation_text import COLUMNS

STYLE = f"""
h2 {{ font-size: 1.1rem; margin-top: 2.5rem; overflow-wrap: anywhere; }}
.text {{ font-size: 1.1rem; line-height: 2; overflow-wrap: anywhere; }}
.for, .against {{ padding: .1rem .4rem; border-radius: .2rem; color: #fff; }}
.for {{ background: {BLUE}; }} .against {{ background: {VERMILION}; }}
.note {{ font-weight: 600; }}
svg {{ width: 100%; height: 8rem; display: block; }}
td.token {{ overflow-wrap: anywhere; }}
summary {{ cursor: pointer; }}
"""

NUMBERS = COLUMNS[1:4]

WIDTH, HEIGHT = 1000, 120
"""Units of the picture of the probability."""


def explanation_page(explanations: Sequence[Explanation], model: str) -> str:
    """Return a page with all of the explanations; `model` is what people call the model."""
    summary = (
        'Tokens <span class="for">for</span> and <span class="against">against</span> a label, the stronger the '
        "colour the more. <i>contribution</i>: a token's part of the logit; the parts sum to the difference between "
        "the text's logit and that of a text without information. <i>without</i>: how much the logit is higher than "
        "without the token. <i>probability</i>: of the label, if the text ended with this token. Struck out is what "
        "the model is not given, underlined with dots what it does not know."
    )
    body = "\n".join(map(_section, explanations))
    return web_page(f"Explained by {visible(model)}", summary, body, STYLE)


def _section(explanation: Explanation) -> str:
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in explanation.notes())
    table = html_table(COLUMNS, map(_row, explanation.tokens), NUMBERS)
    others = ", ".join(f"{visible(label)} {share:.4f}" for label, share in explanation.probabilities.items())
    return (
        f"<h2>{html.escape(heading(explanation))}</h2>\n<p>{html.escape(others)}</p>\n{notes}\n"
        f'<p class="text">{html_tokens(explanation)}</p>\n{_curve(explanation)}\n'
        f"<details><summary>as a table</summary>\n{table}</details>"
    )


def _row(token: ExplainedToken) -> str:
    figures = (
        ("+.4f", token.contribution),
        ("+.4f", token.without),
        (".4f", token.probability),
    )
    cells = "".join(
        f'<td class="number">{"" if figure is None else format(figure, form)}</td>' for form, figure in figures
    )
    return (
        f'<tr><td class="token">{html.escape(visible(token.text))}</td>{cells}'
        f'<td class="token">{html.escape(read_as(token))}</td></tr>'
    )


def _curve(explanation: Explanation) -> str:
    """Return the probability after each token as a picture, if there are several."""
    values = [token.probability for token in explanation.tokens if token.probability is not None]
    if len(values) < 2:
        return ""
    step = WIDTH / (len(values) - 1)
    points = " ".join(f"{place * step:.1f},{HEIGHT * (1 - value):.1f}" for place, value in enumerate(values))
    label = html.escape(visible(explanation.label))
    return (
        f"<p>Probability of {label} after each token: 0 at the bottom, 1 at the top, the line 0.5.</p>\n"
        f'<svg viewBox="0 -4 {WIDTH} {HEIGHT + 8}" preserveAspectRatio="none" role="img" '
        f'aria-label="probability of {label} after each token">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#f4f4f4"/>'
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}" stroke="#888" stroke-dasharray="6 6"/>'
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="2" '
        f'vector-effect="non-scaling-stroke"/></svg>'
    )
