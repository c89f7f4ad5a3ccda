"""spaCy's rule-based tokenizer, without a trained model."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sentexp.text import language_data
from sentexp.text.cleaning import lemma
from sentexp.text.spanned_spaces import SpannedSpaces

MAX_STRINGS = 500_000
"""Distinct strings after which spaCy starts again with an empty vocabulary; it never forgets a string by itself."""

SPANS_PER_DOC = 1000


class SpacyTokenizer:
    """The tokens of `spacy.blank(language)` without white space; with `lemmas`, each replaced as by its look-up table.

    spaCy is loaded at the first use. Raises SentexpError for a language that spaCy does not have or cannot load, and
    with `lemmas` for a language without a look-up table.
    """

    def __init__(self, language: str = "en", lemmas: bool = False) -> None:
        self.language = language
        self.lemmas = lemmas
        self._spacy: Any = None
        self._spanned_spaces: SpannedSpaces | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return SpacyTokenizer, (self.language, self.lemmas)

    @property
    def key(self) -> str:
        return f"spacy {self.language} lemmas={self.lemmas} {language_data.version(self.lemmas)}"

    def __call__(self, text: str) -> list[str]:
        tokens = [token.text for token in self._tokenizer()(text)]
        return self._lemmas([token for token in tokens if not token.isspace()])

    @property
    def by_span(self) -> bool:
        """True for the languages that use spaCy's common tokenizer, which begins by splitting at white space."""
        from spacy.tokenizer import Tokenizer

        return type(self._tokenizer()) is Tokenizer and not any(
            token.isspace() for pair in self._neighbours() for token in pair
        )

    def tokenize_spans(self, spans: Sequence[str]) -> list[list[str]]:
        """Tokenize many spans in one document, since making a document costs as much as tokenizing a span.

        The line breaks between them are tokens of their own, across which no exception matches.
        """
        found: list[list[str]] = []
        for start in range(0, len(spans), SPANS_PER_DOC):
            tokens: list[str] = []
            for token in self._tokenizer()("\n".join(spans[start : start + SPANS_PER_DOC])):
                text = token.text
                if text == "\n":
                    found.append(self._lemmas(tokens))
                    tokens = []
                else:
                    tokens.append(text)
            found.append(self._lemmas(tokens))
        assert len(found) == len(spans)
        return found

    @property
    def spanned_spaces(self) -> SpannedSpaces:
        if self._spanned_spaces is None:
            rules = self._tokenizer().rules
            exception_tokens = {token for rule in rules.values() for token in _texts(rule)}
            self._spanned_spaces = SpannedSpaces(self._neighbours(), exception_tokens)
        return self._spanned_spaces

    def _neighbours(self) -> set[tuple[str, str]]:
        """Return the pairs of tokens that follow one another in an exception, such as `:` and `)` in `:)`."""
        from spacy.tokenizer import Tokenizer

        whole = self._tokenizer()
        without_exceptions = Tokenizer(
            whole.vocab,
            rules={},
            prefix_search=whole.prefix_search,
            suffix_search=whole.suffix_search,
            infix_finditer=whole.infix_finditer,
            token_match=whole.token_match,
            url_match=whole.url_match,
        )
        exceptions = [[token.text for token in without_exceptions(exception)] for exception in whole.rules]
        return {pair for tokens in exceptions for pair in itertools.pairwise(tokens)}

    def _tokenizer(self) -> Any:
        if self._spacy is None or len(self._spacy.vocab.strings) > MAX_STRINGS:
            language = language_data.language_class(self.language)
            try:
                self._spacy = language().tokenizer
                # For each new string spaCy works out its shape, whether it is like a number, and more. That takes a
                # third of the time and plays no part in tokenizing.
                self._spacy.vocab.lex_attr_getters = {}
            except ImportError as error:  # ja, ko, th, vi and others need a package of their own
                raise language_data.cannot_load(self.language, "tokenizer.language", error) from error
        return self._spacy

    def _lemmas(self, tokens: list[str]) -> list[str]:
        if not self.lemmas:
            return tokens
        table: Mapping[str, str] = language_data.lemmas(self.language, "tokenizer.lemmas")
        return [lemma(token, table) for token in tokens]


def _texts(rule: list[dict[Any, str]]) -> list[str]:
    from spacy.attrs import ORTH

    return [token[ORTH] for token in rule]
