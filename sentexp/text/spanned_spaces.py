"""White space that an exception of spaCy's may span, so that the text on its two sides must be tokenized together.

spaCy splits a text at white space and tokenizes each piece (a span) by itself, so a span can be tokenized once and
looked up afterwards. Its last step is different: it searches the tokens of the whole text for its exceptions, such as
`:)` and `:))`, and takes no notice of white space. A match across white space changes nothing itself, but it is
preferred to a shorter match inside a span. In `foo:) )` the tokens `:`, `)`, `)` match `:))`. That hides the shorter
`:)`, so the result is `foo`, `:`, `)`, `)`, although `foo:)` alone gives `foo`, `:)`.

SpannedSpaces finds the pairs of neighbouring spans where this could happen. A few texts in a hundred have such a pair;
they are tokenized as a whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

Candidates = tuple[str, ...]


class SpannedSpaces:
    """Sorts spans into kinds by the exceptions that could match at their ends; says which kinds must stay together.

    `neighbours` are the pairs of tokens that follow one another within an exception, such as `:` and `)`.
    `exception_tokens` are the tokens that exceptions yield, such as `:)`: what stood there before is not known.
    """

    def __init__(self, neighbours: Iterable[tuple[str, str]], exception_tokens: Iterable[str]) -> None:
        self._neighbours = set(neighbours)
        self._exception_tokens = frozenset(exception_tokens)
        self._lefts = frozenset(left for left, _ in self._neighbours)
        self._rights = frozenset(right for _, right in self._neighbours)
        self._end_kinds: dict[Candidates, int] = {(): 0}
        self._start_kinds: dict[Candidates, int] = {(): 0}
        self.end_kind = functools.cache(self._end_kind)
        self.start_kind = functools.cache(self._start_kind)
        self._table: list[list[bool]] = [[False]]

    def table(self) -> list[list[bool]]:
        """[end kind][start kind]: True if an exception may span the space between two spans of these kinds."""
        if (len(self._table), len(self._table[0])) != (len(self._end_kinds), len(self._start_kinds)):
            self._table = [[self._may_span(ends, starts) for starts in self._start_kinds] for ends in self._end_kinds]
        return self._table

    def _may_span(self, ends: Candidates, starts: Candidates) -> bool:
        return any((left, right) in self._neighbours for left in ends for right in starts)

    def _end_kind(self, last_token: str) -> int:
        """Return the kind of a span that ends with this token; 0: nothing can span the space after it."""
        candidates = self._candidates(last_token, self._lefts, str.endswith)
        return self._end_kinds.setdefault(candidates, len(self._end_kinds))

    def _start_kind(self, first_token: str) -> int:
        """Return the kind of a span that begins with this token; 0: nothing can span the space before it."""
        candidates = self._candidates(first_token, self._rights, str.startswith)
        return self._start_kinds.setdefault(candidates, len(self._start_kinds))

    def _candidates(
        self, token: str, within_exceptions: frozenset[str], at_end: Callable[[str, str], bool]
    ) -> Candidates:
        """Return the tokens of `within_exceptions` that may have stood there before exceptions were applied."""
        if token not in self._exception_tokens:
            return (token,) if token in within_exceptions else ()
        return tuple(sorted(one for one in within_exceptions if at_end(token, one) or at_end(one, token)))
