"""An explanation: its figures, and how a notebook shows them, the tokens in colour."""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass

from sentexp.report.style import BLUE, VERMILION
from sentexp.text.vocabulary import UNK

TOLERANCE = 0.01
"""Part of the logit's difference by which the sum of the contributions may be off."""

NEGLIGIBLE = 1e-4
"""Difference of logits that is none: where a text changes nothing, no part of it is near enough."""

SHOWN_WIDTH = 60
"""Characters of the text in `repr`."""

JOINER = "\N{ZERO WIDTH JOINER}"
"""Holds an emoji of several parts together."""


@dataclass(frozen=True)
class ExplainedToken:
    """One token of a text. What concerns the logit is None for a token that the model is not given."""

    text: str
    """As the tokenizer gives it."""
    read_as: str | None
    """The word of the vocabulary that the model reads; None: it is not given this token."""
    fate: str
    """As in TracedToken: `read`, `dropped`, `cut` or `added`."""
    contribution: float | None
    """Its part of the logit."""
    without: float | None
    """By how much the logit is higher than without this token."""
    probability: float | None
    """Probability of the explained label after this token, if the text ended with it."""

    @property
    def unknown(self) -> bool:
        """True for a word of the text that the vocabulary does not have."""
        return self.fate == "read" and self.read_as == UNK


@dataclass(frozen=True)
class Explanation:
    """Why a model gives a text its label."""

    text: str
    predicted: str
    """The likeliest label."""
    label: str
    """The label whose logit is explained."""
    probabilities: dict[str, float]
    """By label."""
    logit: float
    """The explained logit."""
    baseline: float
    """What the contributions start from: the logit of zero vectors; of n-grams, of a text without known ones."""
    method: str
    """`integrated gradients`, `n-grams`, or `leave-one-out` for a model whose gradients do not tell."""
    reason: str | None
    """Why the gradients do not tell; None for another method than `leave-one-out`."""
    steps: int | None
    """Steps of integrated gradients."""
    tokens: list[ExplainedToken]
    unexplained: int
    """Tokens behind those explained; what is said holds for a text that ends before them."""

    @property
    def error(self) -> float:
        """How far the sum of the contributions is from the logit's difference from the baseline."""
        contributions = [token.contribution for token in self.tokens if token.contribution is not None]
        return sum(contributions) - (self.logit - self.baseline)

    def __repr__(self) -> str:
        text = visible(textwrap.shorten(self.text, SHOWN_WIDTH, placeholder=" ..."))
        return f"Explanation({text}: {heading(self)})"

    def _repr_html_(self) -> str:
        notes = "".join(f"<br>note: {html.escape(note)}" for note in self.notes())
        return f"<div>{html.escape(heading(self))}{notes}<p style='line-height: 2'>{html_tokens(self)}</p></div>"

    def notes(self) -> list[str]:
        """Say what a reader must know beside the figures."""
        seen = [token for token in self.tokens if token.read_as is not None]
        notes = []
        if self.unexplained:
            notes.append(
                f"explained are the first {len(seen):,} of {len(seen) + self.unexplained:,} tokens, as if the text "
                "ended there"
            )
        if not any(token.fate == "read" for token in seen):
            notes.append(f"no token is left of the text: the model reads {' '.join(token.text for token in seen)}")
        elif all(token.unknown for token in seen if token.fate == "read"):
            notes.append(f"the model knows no word of it: each is {UNK}")
        if self.method == "leave-one-out":
            notes.append(
                f"this model's gradients do not tell ({self.reason}): contributions are those of leaving a token out"
            )
        elif not near_enough(self.error, self.logit - self.baseline):
            difference = self.logit - self.baseline
            notes.append(
                f"the contributions sum to {difference + self.error:.4f}, not to the logit's difference of "
                f"{difference:.4f} ({self.steps} steps)"
            )
        return notes


def near_enough(error: float, difference: float) -> bool:
    return abs(error) <= TOLERANCE * abs(difference) + NEGLIGIBLE


def visible(text: str) -> str:
    """Return a text with control characters and others that do not print as escapes, such as \\x1b and \\u202e."""
    return "".join(
        character if character.isprintable() or character == JOINER else character.encode("unicode_escape").decode()
        for character in text
    )


def heading(explanation: Explanation) -> str:
    """Return the answer and what is explained as one line."""
    probability = explanation.probabilities[explanation.predicted]
    return (
        f"{visible(explanation.predicted)} {probability:.4f}; logit of {visible(explanation.label)} "
        f"{explanation.logit:+.4f}, from {explanation.baseline:+.4f} by {explanation.method}"
    )


def read_as(token: ExplainedToken) -> str:
    """Return what the model reads for a token, or what became of it."""
    return visible(token.read_as) if token.read_as is not None else token.fate


def strength(token: ExplainedToken, explanation: Explanation) -> float:
    """Return a token's contribution as a share of the greatest one's size: -1 to 1."""
    greatest = max(abs(one.contribution or 0.0) for one in explanation.tokens)
    return (token.contribution or 0.0) / greatest if greatest else 0.0


def html_tokens(explanation: Explanation) -> str:
    """Return the tokens as HTML: the stronger the colour of one, the more it speaks for the label, or against it."""
    return " ".join(_html_token(token, explanation) for token in explanation.tokens)


def _html_token(token: ExplainedToken, explanation: Explanation) -> str:
    shown = html.escape(visible(token.text))
    if token.contribution is None:
        return f'<span style="color: #767676; text-decoration: line-through" title="{token.fate}">{shown}</span>'
    share = strength(token, explanation)
    colour = BLUE if share > 0 else VERMILION
    title = f"{token.contribution:+.4f}; probability so far {token.probability:.4f}; read as {read_as(token)}"
    style = f"padding: .15rem .2rem; border-radius: .2rem; background: {colour}{round(abs(share) * 255):02x}"
    style += "; color: #fff" if abs(share) >= 0.75 else ""
    style += "; font-style: italic; border-bottom: 2px dotted #555" if token.unknown else ""
    return f'<span style="{style}" title="{html.escape(title)}">{shown}</span>'
