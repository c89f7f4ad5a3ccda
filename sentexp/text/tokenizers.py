"""From a text to its words. A tokenizer is called with a text and gives a list of str; it can be pickled.

Besides, for speed and caching, each has

    key               what its words depend on, versions included
    by_span           whether each part between white spaces can be read by itself, once for the whole corpus
    split(spans)      the words of each such part
    spanned_spaces    None, or where neighbouring parts have to be read together after all (see spanned_spaces.py)
    language          of its word lists, where it has one
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sentexp.errors import SentexpError
from sentexp.text.spacy_tokenizer import SpacyTokenizer
from sentexp.text.spanned_spaces import SpannedSpaces

__all__ = ["BasicTokenizer", "CallableTokenizer", "SpacyTokenizer", "Tokenizer", "WhitespaceTokenizer"]


class Tokenizer(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def by_span(self) -> bool: ...
    @property
    def spanned_spaces(self) -> SpannedSpaces | None: ...
    def split(self, spans: Sequence[str]) -> list[list[str]]: ...
    def __call__(self, text: str) -> list[str]: ...


class WhitespaceTokenizer:
    """Words as the spaces part them."""

    key = "whitespace"
    by_span = True
    spanned_spaces = None

    def __call__(self, text: str) -> list[str]:
        return text.split()

    def split(self, spans: Sequence[str]) -> list[list[str]]:
        return [[span] for span in spans]


class BasicTokenizer:
    """Words, numbers and punctuation by one regular expression.

    Contractions are split as in the Penn Treebank, and so as in spaCy and in the published word vectors: `don't`
    becomes `do`, `n't`, and `it's` becomes `it`, `'s`. A run of one punctuation mark is one word (`...`, `!!`); a
    hyphen splits.
    """

    by_span = True
    spanned_spaces = None

    WORDS = re.compile(
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
        return f"basic {hashlib.sha256(self.WORDS.pattern.encode()).hexdigest()[:16]}"

    def __call__(self, text: str) -> list[str]:
        return [match[0] for match in self.WORDS.finditer(text)]

    def split(self, spans: Sequence[str]) -> list[list[str]]:
        return [self(span) for span in spans]


class CallableTokenizer:
    """Any function of the user's own that takes a str and returns a list of str, by dotted path.

    It is imported when first needed, in each process that tokenizes; the current folder counts as with `python -m`.
    Raises SentexpError for a path that cannot be imported and for a function that fails or returns anything else.
    """

    by_span = False
    spanned_spaces = None

    def __init__(self, path: str) -> None:
        self.path = path
        self._function: Callable[[str], Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return CallableTokenizer, (self.path,)

    @property
    def key(self) -> str:
        """With the text of the module that the function stands in, so that an edit is a new tokenizer. What that
        module imports is not seen."""
        module = sys.modules.get(getattr(self._imported(), "__module__", None) or "")
        file = getattr(module, "__file__", None)
        source = Path(file).read_bytes() if file and os.path.isfile(file) else b""
        return f"callable {self.path} {hashlib.sha256(source).hexdigest()[:16]}"

    def __call__(self, text: str) -> list[str]:
        function = self._imported()
        try:
            words = function(text)
        except Exception as error:
            raise SentexpError(
                f"tokenizer.path={self.path}: failed with {type(error).__name__}: {_line(error)} (text: {text[:60]!r})"
            ) from error
        if not isinstance(words, list):
            raise SentexpError(f"tokenizer.path={self.path}: returned {type(words).__name__}, expected a list of str")
        for word in words:
            if not isinstance(word, str):
                raise SentexpError(
                    f"tokenizer.path={self.path}: returned a list with {type(word).__name__}, expected a list of str"
                )
        return words

    def split(self, spans: Sequence[str]) -> list[list[str]]:
        raise NotImplementedError("by_span is False")

    def _imported(self) -> Callable[[str], Any]:
        if self._function is None:
            self._function = self._import()
        return self._function

    def _import(self) -> Callable[[str], Any]:
        module, dot, name = self.path.rpartition(".")
        if not dot or not module or not name:
            raise SentexpError(f"tokenizer.path={self.path}: expected package.module.function")
        if not {"", os.getcwd()} & set(sys.path):
            sys.path.append(os.getcwd())
        try:
            function = getattr(importlib.import_module(module), name)
        except Exception as error:  # importing runs the user's code
            raise SentexpError(
                f"tokenizer.path={self.path}: cannot be imported ({_line(error)}); expected package.module.function"
            ) from error
        if not callable(function):
            raise SentexpError(f"tokenizer.path={self.path}: is {type(function).__name__}, expected a function")
        return function


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
