"""Where spaCy's exceptions could reach across a white space, so that the words on its two sides need a common reading.

spaCy splits at white space first, and then each part (a span) by itself: it can be read once and looked up afterwards.
One step looks at the whole text again: exceptions such as `:)` are searched among the words of all spans. Across a
space none of them is ever merged, but a longer match there hides a shorter one within a span (`foo:) )` keeps `:` and
`)` apart). A joint is a pair of spans where that could happen; few texts in a hundred have one, and those are read
whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

Sides = tuple[str, ...]


class SpannedSpaces:
    """Sorts spans by what could match at their ends. `neighbours`: words that follow one another within an exception;
    `exception_words`: words that exceptions yield, behind which other words may have stood before."""

    def __init__(self, neighbours: Iterable[tuple[str, str]], exception_words: Iterable[str]) -> None:
        self._neighbours = set(neighbours)
        self._exception_words = frozenset(exception_words)
        self._lefts = frozenset(left for left, _ in self._neighbours)
        self._rights = frozenset(right for _, right in self._neighbours)
        self._left_kinds: dict[Sides, int] = {(): 0}
        self._right_kinds: dict[Sides, int] = {(): 0}
        self.left = functools.cache(self._left)
        self.right = functools.cache(self._right)
        self._table: list[list[bool]] = [[False]]

    def table(self) -> list[list[bool]]:
        """[left kinds][right kinds]: True where a span of that left kind before one of that right kind is a joint."""
        if (len(self._table), len(self._table[0])) != (len(self._left_kinds), len(self._right_kinds)):
            self._table = [[self._joint(left, right) for right in self._right_kinds] for left in self._left_kinds]
        return self._table

    def _joint(self, lefts: Sides, rights: Sides) -> bool:
        return any((left, right) in self._neighbours for left in lefts for right in rights)

    def _left(self, last_word: str) -> int:
        """The left kind of a span that ends with this word; 0: no joint whatever follows."""
        sides = self._sides(last_word, self._lefts, _ends_with)
        return self._left_kinds.setdefault(sides, len(self._left_kinds))

    def _right(self, first_word: str) -> int:
        """The right kind of a span that begins with this word; 0: no joint whatever precedes."""
        sides = self._sides(first_word, self._rights, _starts_with)
        return self._right_kinds.setdefault(sides, len(self._right_kinds))

    def _sides(self, word: str, candidates: frozenset[str], within: Callable[[str, str], bool]) -> Sides:
        """Those of the candidates that may have stood there before exceptions were applied."""
        if word not in self._exception_words:
            return (word,) if word in candidates else ()
        return tuple(sorted(one for one in candidates if within(word, one) or within(one, word)))


def _ends_with(word: str, end: str) -> bool:
    return word.endswith(end)


def _starts_with(word: str, start: str) -> bool:
    return word.startswith(start)
