"""Tells whether a column holds reviews, or rather numbers, paths, names: a column that was taken by mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sentexp.inspection.splits import percent
from sentexp.text.scripts import written_without_spaces

LEAST_SHARE = 0.5
"""Share of the texts from which on the column is said to be of a kind."""
FEW_LETTERS = 0.3
"""Share of letters among all characters but spaces below which a text counts as numbers: dates, codes, ratings."""
SHORT = 2
"""Words up to which a text counts as very short."""
MOST_REPEATED = 0.05
"""Share of different texts among all up to which a column counts as one of categories."""
LEAST_TEXTS = 50
"""Texts from which on that is judged: ten equal ones among few are no category."""

_ADDRESS = re.compile(r"\s*(?:\w+://|www\.|[A-Za-z]:\\|\.{0,2}/|[\w.-]+[/\\])\S*\s*")


def looks_wrong(texts: Sequence[str]) -> str | None:
    """Return what a sample of texts looks like if it does not look like reviews, with an example; otherwise None.

    >>> looks_wrong(["img/0.png", "img/1.png"])
    "100 % of the texts are paths or addresses, such as 'img/0.png'"
    """
    if not texts:
        return None
    for kind, is_kind in (
        ("paths or addresses", _is_address),
        ("numbers, dates or codes", _is_number),
        ("a single word", _is_word),
        (f"at most {SHORT} words long", _is_short),
    ):
        found = [text for text in texts if is_kind(text)]
        if len(found) >= LEAST_SHARE * len(texts):
            example = " ".join(found[0].split())[:40]
            return f"{percent(len(found) / len(texts))} of the texts are {kind}, such as {example!r}"
    different = len(set(texts))
    if len(texts) >= LEAST_TEXTS and different <= MOST_REPEATED * len(texts):
        return f"only {different:,} different texts among {len(texts):,}, such as {' '.join(texts[0].split())[:40]!r}"
    return None


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def _is_number(text: str) -> bool:
    """Return True also for punctuation alone, not for a few emoji."""
    characters = [character for character in text if not character.isspace()]
    letters = sum(character.isalpha() for character in characters)
    return any(character.isnumeric() for character in characters) and letters < FEW_LETTERS * len(characters)


def _is_word(text: str) -> bool:
    return len(text.split()) <= 1 and not written_without_spaces(text)


def _is_short(text: str) -> bool:
    return len(text.split()) <= SHORT and not written_without_spaces(text)
