"""What cleaning removes and changes: tags and entities in the raw text, everything else token by token."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentexp.text import language_data

# As in HTML, a tag begins with a letter straight after `<` or `</`: `I <3 this` and `a < b` hold none. No part matches
# a further `<`, so the time is linear whatever the text.
TAG = re.compile(r"""<!--[^<]*?-->|<(?:/|!)?[a-zA-Z](?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")

# Only with its semicolon: browsers show `R&copy` as `R©`, but in a review it is more often a typing mistake.
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def clean_html(text: str) -> str:
    """Replace each tag and comment by a space, and each entity by the character that it stands for."""
    if "<" in text:
        text = TAG.sub(" ", text)
    if "&" in text:  # after the tags, so that `&lt;b&gt;`, which a browser shows as <b>, stays
        text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return text


def is_punctuation(token: str) -> bool:
    """True for punctuation and symbols alone: `!`, `...`, `$`, `:)`, but not `:D`."""
    return token != "" and all(unicodedata.category(character)[0] in "PS" for character in token)


def is_number(token: str) -> bool:
    """True for tokens with a digit and no letter: `7`, `1,000`, `-3.5`, `7/10`, `50%`, but not `10th` and `ten`."""
    return any(character.isnumeric() for character in token) and not any(character.isalpha() for character in token)


@dataclass(frozen=True)
class Cleaning:
    """Switches for cleaning, independent of one another. All but `html` look at a single token.

    cleaning = Cleaning(punctuation=True)
    cleaning.text("A <b>good</b> film!")        # "A  good  film!"
    cleaning.tokens(["A", "good", "film", "!"])  # ["a", "good", "film", None]
    """

    html: bool = True
    """Replace tags by a space, entities by their character."""
    lowercase: bool = True
    punctuation: bool = False
    """Drop tokens made of punctuation and symbols alone, also emoticons without letters."""
    numbers: bool = False
    """Drop tokens with a digit and no letter."""
    stop_words: bool = False
    """Drop spaCy's stop words of the tokenizer's language. The English ones include `not`, `no`, `never` and `n't`, as
    the standard list does: dropping them costs accuracy wherever negation matters."""
    lemmas: bool = False
    """Replace each token by its entry in spaCy's look-up table, such as `goes` by `go`."""

    def text(self, text: str) -> str:
        """Clean a text before it is tokenized."""
        return clean_html(text) if self.html else text

    def tokens(self, tokens: Iterable[str], language: str = "en") -> list[str | None]:
        """Clean tokens; None takes the place of one that is dropped.

        Stop words are recognized before lemmas are looked up, in upper and lower case. Raises SentexpError if spaCy has
        no stop words or lemmas for `language`, or if the package with its lemmas is not installed.
        """
        stop_words = language_data.stop_words(language, "text.clean.stop_words") if self.stop_words else frozenset()
        lemmas = language_data.lemmas(language, "text.clean.lemmas") if self.lemmas else {}
        return [self._token(token, stop_words, lemmas) for token in tokens]

    def _token(self, token: str, stop_words: frozenset[str], lemmas: Mapping[str, str | list[str]]) -> str | None:
        if self.stop_words and token.lower() in stop_words:
            return None
        if self.punctuation and is_punctuation(token):
            return None
        if self.numbers and is_number(token):
            return None
        if self.lemmas:
            token = lemma(token, lemmas)
        return token.lower() if self.lowercase else token

    def key(self, language: str) -> str:
        """Return a text for the cache that differs whenever `text` or `tokens` may give another result."""
        data = language_data.version(lemmas=self.lemmas) if self.stop_words or self.lemmas else ""
        return f"{self!r} {language} {data}"


def lemma(token: str, lemmas: Mapping[str, str | list[str]]) -> str:
    """Return the entry of a token, else of its lower case (the tables have few capitals), else the token itself.

    Some words have several lemmas in the tables of French and Catalan, of which the first is taken.
    """
    found = lemmas.get(token) or lemmas.get(token.lower()) or token
    return found if isinstance(found, str) else found[0]
