"""spaCy's rule-based tokenizer, without a trained model."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sentexp.text import language_data
from sentexp.text.cleaning import lemma
from sentexp.text.spanned_spaces import SpannedSpaces

STRINGS = 500_000
"""Distinct strings after which spaCy starts with an empty vocabulary; it would keep each one for ever."""

SPANS_PER_DOC = 1000


class SpacyTokenizer:
    """The words of `spacy.blank(language)`, white space left out; with `lemmas`, each as its look-up table has it.

    spaCy is loaded at the first use. Raises SentexpError for a language that spaCy does not have or cannot load, and
    with `lemmas` for one without a look-up table.
    """

    def __init__(self, language: str = "en", lemmas: bool = False) -> None:
        self.language = language
        self.lemmas = lemmas
        self._spacy: Any = None
        self._joints: SpannedSpaces | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return SpacyTokenizer, (self.language, self.lemmas)

    @property
    def key(self) -> str:
        return f"spacy {self.language} lemmas={self.lemmas} {language_data.version(self.lemmas)}"

    def __call__(self, text: str) -> list[str]:
        words = [token.text for token in self._tokenizer()(text)]
        return self._lemmas([word for word in words if not word.isspace()])

    @property
    def by_span(self) -> bool:
        """True for the languages that use spaCy's common tokenizer, which begins by splitting at white space."""
        from spacy.tokenizer import Tokenizer

        return type(self._tokenizer()) is Tokenizer and not any(
            part.isspace() for pair in self._neighbours() for part in pair
        )

    def split(self, spans: Sequence[str]) -> list[list[str]]:
        """The words of each span. Many go into one document, since making a document costs as much as reading a span;
        the line breaks between them are tokens of their own, across which no exception matches."""
        words: list[list[str]] = []
        for start in range(0, len(spans), SPANS_PER_DOC):
            part: list[str] = []
            for token in self._tokenizer()("\n".join(spans[start : start + SPANS_PER_DOC])):
                text = token.text
                if text == "\n":
                    words.append(self._lemmas(part))
                    part = []
                else:
                    part.append(text)
            words.append(self._lemmas(part))
        assert len(words) == len(spans)
        return words

    @property
    def spanned_spaces(self) -> SpannedSpaces:
        if self._joints is None:
            rules = self._tokenizer().rules
            self._joints = SpannedSpaces(self._neighbours(), {word for rule in rules.values() for word in _texts(rule)})
        return self._joints

    def _neighbours(self) -> set[tuple[str, str]]:
        """Words that follow one another in an exception, such as `:` and `)`, read without exceptions."""
        from spacy.tokenizer import Tokenizer

        whole = self._tokenizer()
        bare = Tokenizer(
            whole.vocab,
            rules={},
            prefix_search=whole.prefix_search,
            suffix_search=whole.suffix_search,
            infix_finditer=whole.infix_finditer,
            token_match=whole.token_match,
            url_match=whole.url_match,
        )
        words = [[token.text for token in bare(exception)] for exception in whole.rules]
        return {pair for exception in words for pair in itertools.pairwise(exception)}

    def _tokenizer(self) -> Any:
        if self._spacy is None or len(self._spacy.vocab.strings) > STRINGS:
            language = language_data.language_class(self.language)
            try:
                self._spacy = language().tokenizer
                # What spaCy works out for each new string (its shape, whether it is like a number, ...) costs a third
                # of the time and has no part in tokenizing.
                self._spacy.vocab.lex_attr_getters = {}
            except ImportError as error:  # ja, ko, th, vi and others need a package of their own
                raise language_data.cannot_load(self.language, "tokenizer.language", error) from error
        return self._spacy

    def _lemmas(self, words: list[str]) -> list[str]:
        if not self.lemmas:
            return words
        table: Mapping[str, str] = language_data.lemmas(self.language, "tokenizer.lemmas")
        return [lemma(word, table) for word in words]


def _texts(rule: list[dict[Any, str]]) -> list[str]:
    from spacy.attrs import ORTH

    return [token[ORTH] for token in rule]
