"""spaCy's rule-based tokenizer, without a trained model."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sentexp.text import language_data
from sentexp.text.cleaning import lemma
from sentexp.text.spanned_spaces import SpannedSpaces

MAX_STRINGS = 500_000
"""Distinct strings after which spaCy starts again with an empty vocabulary; it never forgets a string by itself."""

SPANS_PER_DOC = 1000

LONG = 1000
"""Characters of a span from which its marks are taken off here: spaCy's time grows with the square of their number,
and 40,000 in a row would take minutes."""

WINDOW = 40
"""Characters at each end of a long span that are looked at for a mark."""

_LONG_SPAN = re.compile(rf"\S{{{LONG},}}")


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
        tokens, done = [], 0
        for match in _LONG_SPAN.finditer(text) if self._is_common else ():  # zh, ja and others have no such marks
            tokens += [token.text for token in self._tokenizer()(text[done : match.start()])]
            tokens += self._long_span(match.group())
            done = match.end()
        tokens += [token.text for token in self._tokenizer()(text[done:])]
        return self._lemmas([token for token in tokens if not token.isspace()])

    def _long_span(self, span: str) -> list[str]:
        """Tokenize a long span as spaCy does, in time that grows with its length.

        spaCy takes one prefix and one suffix off at a time, and looks at all that is left each time. Which ones it
        finds depends on the characters near the ends alone, and a run of `…` has prefixes of one and suffixes of two.
        If an exception such as `:)` joins several of them, spaCy itself does it all.
        """
        tokenizer = self._tokenizer()
        start, stop = 0, len(span)
        before: list[str] = []
        after: list[str] = []
        while stop - start >= LONG:
            prefix = tokenizer.prefix_search(span[start : start + WINDOW])
            suffix = tokenizer.suffix_search(span[stop - WINDOW : stop])
            first = prefix.end() if prefix is not None else 0
            last = WINDOW - suffix.start() if suffix is not None else 0
            if first == last == 0 or WINDOW in (first, last):  # none, or one that may be longer than was looked at
                break
            before += [span[start : start + first]] if first else []
            after += [span[stop - last : stop]] if last else []
            start, stop = start + first, stop - last
        middle = span[start:stop]
        # exceptions are looked for last, among all tokens: `):` in the middle may be the rest of a `:):`
        plain = [*before, *(token.text for token in self._without_exceptions()(middle)), *reversed(after)]
        if any(
            tuple(plain[at : at + length]) in exceptions
            for length, exceptions in self._exceptions_by_length.items()
            for at in range(len(plain) - length + 1)
        ):
            return [token.text for token in tokenizer(span)]
        return [*before, *(token.text for token in tokenizer(middle)), *reversed(after)]

    @functools.cached_property
    def _exceptions_by_length(self) -> dict[int, set[tuple[str, ...]]]:
        """The exceptions of two tokens or more, each as the tokens that it would be without exceptions."""
        found: dict[int, set[tuple[str, ...]]] = {}
        for tokens in self._exceptions():
            if len(tokens) > 1:
                found.setdefault(len(tokens), set()).add(tuple(tokens))
        return found

    @property
    def _is_common(self) -> bool:
        """True for the languages that use spaCy's common tokenizer, which begins by splitting at white space."""
        from spacy.tokenizer import Tokenizer

        return type(self._tokenizer()) is Tokenizer

    @property
    def by_span(self) -> bool:
        """True if a text can be tokenized span by span: with the common tokenizer, and tokens without white space."""
        return self._is_common and not any(token.isspace() for pair in self._neighbours() for token in pair)

    def tokenize_spans(self, spans: Sequence[str]) -> list[list[str]]:
        """Tokenize many spans in one document, since making a document costs as much as tokenizing a span.

        The line breaks between them are tokens of their own, across which no exception matches.
        """
        if any(len(span) >= LONG for span in spans):
            short = iter(self.tokenize_spans([span for span in spans if len(span) < LONG]))
            return [self._lemmas(self._long_span(span)) if len(span) >= LONG else next(short) for span in spans]
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
        return {pair for tokens in self._exceptions() for pair in itertools.pairwise(tokens)}

    def _exceptions(self) -> list[list[str]]:
        """Return each of spaCy's exceptions as the tokens that it would be if there were none."""
        without_exceptions = self._without_exceptions()
        return [[token.text for token in without_exceptions(exception)] for exception in self._tokenizer().rules]

    def _without_exceptions(self) -> Any:
        from spacy.tokenizer import Tokenizer

        whole = self._tokenizer()
        return Tokenizer(
            whole.vocab,
            rules={},
            prefix_search=whole.prefix_search,
            suffix_search=whole.suffix_search,
            infix_finditer=whole.infix_finditer,
            token_match=whole.token_match,
            url_match=whole.url_match,
        )

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
        table: Mapping[str, str | list[str]] = language_data.lemmas(self.language, "tokenizer.lemmas")
        return [lemma(token, table) for token in tokens]


def _texts(rule: list[dict[Any, str]]) -> list[str]:
    from spacy.attrs import ORTH

    return [token[ORTH] for token in rule]
