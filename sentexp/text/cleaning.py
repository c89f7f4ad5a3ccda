"""What is taken out of the text: tags and entities from the raw text, everything else word by word."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentexp.text import language_data

# As HTML has it, a tag begins with a letter straight after `<` or `</`: `I <3 this` and `a < b` hold none. No part
# matches a further `<`, so the time is linear whatever the text.
TAG = re.compile(r"""<!--[^<]*?-->|<(?:/|!)?[a-zA-Z](?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")

# Only with its semicolon: browsers read `R&copy` as `R©`, which in a review is more often a slip of the keyboard.
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def clean_html(text: str) -> str:
    """`text` with a space for each tag and comment, and for each entity the character it stands for."""
    if "<" in text:
        text = TAG.sub(" ", text)
    if "&" in text:  # after the tags, so that `&lt;b&gt;`, which shows as <b>, stays
        text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return text


def is_punctuation(word: str) -> bool:
    """True for punctuation and symbols alone: `!`, `...`, `$`, `:)`, but not `:D`."""
    return word != "" and all(unicodedata.category(character)[0] in "PS" for character in word)


def is_number(word: str) -> bool:
    """True for words with a digit and no letter: `7`, `1,000`, `-3.5`, `7/10`, `50%`, but not `10th` and `ten`."""
    return any(character.isnumeric() for character in word) and not any(character.isalpha() for character in word)


@dataclass(frozen=True)
class Cleaning:
    """Each its own switch; True does it. All but `html` are functions of the single word."""

    html: bool = True
    """Tags become a space, entities their character."""
    lowercase: bool = True
    punctuation: bool = False
    """Drop words made of punctuation and symbols alone, emoticons without letters among them."""
    numbers: bool = False
    """Drop words with a digit and no letter."""
    stop_words: bool = False
    """Drop spaCy's stop words of the tokenizer's language. English ones hold `not`, `no`, `never` and `n't`, as the
    standard list does: dropping them costs accuracy wherever negation matters."""
    lemmas: bool = False
    """Replace each word by its entry in spaCy's look-up table, such as `goes` by `go`."""

    def text(self, text: str) -> str:
        return clean_html(text) if self.html else text

    def words(self, words: Iterable[str], language: str = "en") -> list[str | None]:
        """For each word what becomes of it, None for one that is dropped.

        Stop words are recognized before lemmas are looked up, in any case. Raises SentexpError if spaCy has no
        stop words or lemmas of `language`, or the package of its lemmas is not installed.
        """
        stop_words = language_data.stop_words(language, "text.clean.stop_words") if self.stop_words else frozenset()
        lemmas = language_data.lemmas(language, "text.clean.lemmas") if self.lemmas else {}
        return [self._word(word, stop_words, lemmas) for word in words]

    def _word(self, word: str, stop_words: frozenset[str], lemmas: Mapping[str, str]) -> str | None:
        if self.stop_words and word.lower() in stop_words:
            return None
        if self.punctuation and is_punctuation(word):
            return None
        if self.numbers and is_number(word):
            return None
        if self.lemmas:
            word = lemma(word, lemmas)
        return word.lower() if self.lowercase else word

    def key(self, language: str) -> str:
        """For the cache: what `words` depends on."""
        data = language_data.version(lemmas=self.lemmas) if self.stop_words or self.lemmas else ""
        return f"{self!r} {language} {data}"


def lemma(word: str, lemmas: Mapping[str, str]) -> str:
    """The entry of `word`, or that of its lower-case form (the tables know few capitals), or the word itself."""
    found = lemmas.get(word)
    return found if found is not None else lemmas.get(word.lower(), word)
