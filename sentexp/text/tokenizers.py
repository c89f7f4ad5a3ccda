"""From a text to its tokens. A tokenizer of your own needs a `key` and a call; see Tokenizer."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sentexp.errors import SentexpError, one_line
from sentexp.imports import import_object
from sentexp.text.spacy_tokenizer import SpacyTokenizer
from sentexp.text.spanned_spaces import SpannedSpaces

__all__ = ["BasicTokenizer", "CallableTokenizer", "SpacyTokenizer", "Tokenizer", "WhitespaceTokenizer"]


class Tokenizer(Protocol):
    """What every tokenizer has. It must also be picklable, since several processes tokenize.

        class Characters:
            key = "characters 1"

            def __call__(self, text: str) -> list[str]:
                return list(text)

    It may have more, for speed:

        by_span                 True if each span (piece between white space) may be tokenized by itself; then each
                                distinct span is tokenized only once
        tokenize_spans(spans)   the tokens of each span, if that is faster than a call for each
        spanned_spaces          the exceptions from `by_span`, as SpannedSpaces

    and `language`, a code such as "en", for the stop words and lemmas of `text.clean`.
    """

    @property
    def key(self) -> str:
        """Text that differs whenever the tokens may differ (name, settings, version): cached tokens are found by it."""

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of a text."""


def is_by_span(tokenizer: Tokenizer) -> bool:
    return getattr(tokenizer, "by_span", False)


def tokenize_spans(tokenizer: Tokenizer, spans: Sequence[str]) -> list[list[str]]:
    if hasattr(tokenizer, "tokenize_spans"):
        return tokenizer.tokenize_spans(spans)
    return [tokenizer(span) for span in spans]


def spanned_spaces(tokenizer: Tokenizer) -> SpannedSpaces | None:
    return getattr(tokenizer, "spanned_spaces", None)


def language(tokenizer: Tokenizer) -> str:
    return getattr(tokenizer, "language", "en")


def splits_at_spaces(tokenizer: Tokenizer) -> bool:
    """Return True for this project's tokenizers that know no language."""
    return isinstance(tokenizer, (WhitespaceTokenizer, BasicTokenizer))


class WhitespaceTokenizer:
    """Splits on white space."""

    key = "whitespace"
    by_span = True

    def __call__(self, text: str) -> list[str]:
        return text.split()


class BasicTokenizer:
    """Finds words, numbers and punctuation by one regular expression.

    Contractions are split as in the Penn Treebank, and therefore as in spaCy and in the published word vectors: `don't`
    becomes `do`, `n't`, and `it's` becomes `it`, `'s`. A run of one punctuation mark is one token (`...`, `!!`); a
    hyphen splits.
    """

    by_span = True

    TOKENS = re.compile(
        r"""  [^\W_]+(?=n['’]t\b)                           # do of don't
            | n['’]t\b
            | ['’](?:s|re|ve|ll|d|m)\b
            | \d+(?:[.,:]\d+)+                              # 1,000   3.5   10:30
            | [^\W_]+(?:['’](?!(?:s|re|ve|ll|d|m|t)\b)[^\W_]+)*   # also o'clock
            | ([^\w\s]|_)\1*                                # a run of one mark
        """,
        re.IGNORECASE | re.VERBOSE,
    )

    @property
    def key(self) -> str:
        return f"basic {hashlib.sha256(self.TOKENS.pattern.encode()).hexdigest()[:16]}"

    def __call__(self, text: str) -> list[str]:
        return [match[0] for match in self.TOKENS.finditer(text)]


class CallableTokenizer:
    """A function of the user's own, by dotted path; it takes a str and returns a list of str.

    It is imported when first needed, in each process that tokenizes; modules of the current folder are found. Raises
    SentexpError for a path that cannot be imported, and for a function that fails or returns anything else.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._function: Callable[[str], Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return CallableTokenizer, (self.path,)

    @property
    def key(self) -> str:
        """The path, and a digest of the function's module, so that an edited function is a new tokenizer.

        Changes in what that module imports are not noticed.
        """
        module = sys.modules.get(getattr(self._imported(), "__module__", None) or "")
        file = getattr(module, "__file__", None)
        source = Path(file).read_bytes() if file and os.path.isfile(file) else b""
        return f"callable {self.path} {hashlib.sha256(source).hexdigest()[:16]}"

    def __call__(self, text: str) -> list[str]:
        function = self._imported()
        try:
            tokens = function(text)
        except Exception as error:
            raise SentexpError(
                f"tokenizer.path={self.path}: failed with {one_line(error)} (text: {text[:60]!r})"
            ) from error
        if not isinstance(tokens, list):
            raise SentexpError(f"tokenizer.path={self.path}: returned {type(tokens).__name__}, expected a list of str")
        for token in tokens:
            if not isinstance(token, str):
                raise SentexpError(
                    f"tokenizer.path={self.path}: returned a list with {type(token).__name__}, expected a list of str"
                )
        return tokens

    def _imported(self) -> Callable[[str], Any]:
        if self._function is None:
            self._function = self._import()
        return self._function

    def _import(self) -> Callable[[str], Any]:
        if not all(self.path.rpartition(".")):
            raise SentexpError(f"tokenizer.path={self.path}: expected package.module.function")
        try:
            function = import_object(self.path)
        except Exception as error:  # importing runs the user's code
            raise SentexpError(
                f"tokenizer.path={self.path}: cannot be imported ({one_line(error)}); expected package.module.function"
            ) from error
        if not callable(function):
            raise SentexpError(f"tokenizer.path={self.path}: is {type(function).__name__}, expected a function")
        return function
