"""Tells in which script texts are written, and whether the tokenizer is one for it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

LANGUAGES = {
    "CJK": ("zh", "ja"),
    "HIRAGANA": ("ja",),
    "KATAKANA": ("ja",),
    "HANGUL": ("ko",),
    "THAI": ("th",),
    "ARABIC": ("ar", "fa", "ur", "ug"),
    "HEBREW": ("he",),
    "CYRILLIC": ("ru", "uk", "bg", "mk", "sr", "ky", "tt"),
    "GREEK": ("el", "grc"),
    "DEVANAGARI": ("hi", "mr", "ne", "sa"),
    "BENGALI": ("bn",),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "GEORGIAN": ("xx",),
    "ARMENIAN": ("hy",),
    "ETHIOPIC": ("am", "ti"),
}
"""For scripts other than Latin, by the first word of Unicode's name of a letter: spaCy's languages that have it."""

WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI")
"""Scripts whose words are not separated by spaces."""

LEAST_KANA = 0.1
"""Share of kana among kana and Chinese characters from which on a text is Japanese; Chinese has a stray one."""

LEAST_SHARE = 0.3
"""Share of all letters from which on a script is worth a word."""


def foreign_script(texts: Iterable[str], language: str | None) -> str | None:
    """Return a line if many letters of the texts are of a script that the tokenizer is not made for, otherwise None.

    `language` is the code of spaCy's tokenizer; None for tokenizers that split at spaces and punctuation.
    """
    letters = Counter(char for text in texts for char in text if char.isalpha())
    scripts: Counter[str] = Counter()
    for char, count in letters.items():
        scripts[_script(char)] += count
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if kana > LEAST_KANA * (kana + scripts["CJK"]):  # Japanese has Chinese characters as well
        scripts["HIRAGANA"] += scripts.pop("CJK", 0) + scripts.pop("KATAKANA", 0)
    least = LEAST_SHARE * letters.total()
    found = [name for name, count in scripts.most_common() if name in LANGUAGES and count > least]
    if not found:
        return None
    script, languages = found[0], LANGUAGES[found[0]]
    name = "Chinese" if script == "CJK" else "Japanese" if script in ("HIRAGANA", "KATAKANA") else script.capitalize()
    share = f"{scripts[script] / letters.total():.0%} of the letters are {name}"
    if language in (None, "xx"):  # xx is spaCy's tokenizer for no language in particular
        if script not in WITHOUT_SPACES:
            return None
        return f"{share}, written without spaces; tokenizer=spacy tokenizer.language={languages[0]} finds its words"
    if language in languages:
        return None
    return f"{share}, the tokenizer is for language {language}; expected tokenizer.language={languages[0]}"


def written_without_spaces(text: str) -> bool:
    """Return True if the text has a letter of a script that does not separate words by spaces."""
    return any(char.isalpha() and _script(char) in WITHOUT_SPACES for char in text)


def _script(letter: str) -> str:
    """Return the first word of Unicode's name of a letter."""
    return unicodedata.name(letter, "").partition(" ")[0]
