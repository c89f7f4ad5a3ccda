"""From texts to word numbers: a chunk of reviews as its distinct words and, flat, the number of each word in turn."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import Tokenizer

# Shapes: R reviews in the chunk, N words in all of them, W distinct words, S spans (parts between white spaces)

SPANS = 250_000
"""Distinct spans remembered; about 100 MB. Then the reader forgets them all: the common ones are soon back."""


class Chunk(NamedTuple):
    words: list[str]
    """The distinct words, in the order of their first occurrence: the same however the reviews are dealt out."""
    numbers: np.ndarray
    """int32 [N], places in `words`."""
    lengths: np.ndarray
    """int64 [R], words of each review."""


class Numbering(dict[str, int]):
    """Word -> number, from 0 in the order of asking; `words` is the way back."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self.words)
        self.words.append(word)
        return number

    def numbers(self, texts: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """The number of each word, flat, int32 [N], and how many there are in each text, int64 [R]."""
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        words = itertools.chain.from_iterable(texts)
        numbers = np.fromiter(map(self.__getitem__, words), dtype=np.int32, count=int(lengths.sum()))
        return numbers, lengths


class TextReader:
    """Cleans and tokenizes each text."""

    def __init__(self, tokenizer: Tokenizer, cleaning: Cleaning) -> None:
        self._tokenizer = tokenizer
        self._cleaning = cleaning

    def read(self, texts: Sequence[str]) -> Chunk:
        numbering = Numbering()
        numbers, lengths = numbering.numbers([self._tokenizer(self._cleaning.text(text)) for text in texts])
        return Chunk(numbering.words, numbers, lengths)


class SpanReader:
    """Cleans each text and looks its spans up; only a span that was never met is tokenized.

    Reviews have about as many distinct spans as words, so this is several times faster than tokenizing them, and gives
    the same: where the tokenizer's `spanned_spaces` say that two neighbours might be read together, the whole text is.
    """

    def __init__(self, tokenizer: Tokenizer, cleaning: Cleaning) -> None:
        self._tokenizer = tokenizer
        self._cleaning = cleaning
        self._joints = tokenizer.spanned_spaces
        self._forget()

    def _forget(self) -> None:
        self._spans = Numbering()
        self._words = Numbering()
        self._parts = array("i")  # the words of all spans in turn
        self._sizes = array("i")  # how many of them belong to each span
        self._lefts = array("i")  # kinds of its ends, as spanned_spaces have them
        self._rights = array("i")

    def read(self, texts: Sequence[str]) -> Chunk:
        if len(self._spans) > SPANS:
            self._forget()
        try:
            return self._chunk(texts)
        except BaseException:
            self._forget()  # spans may be numbered that were not read
            raise

    def _chunk(self, texts: Sequence[str]) -> Chunk:
        cleaned = [self._cleaning.text(text) for text in texts]
        spans, counts = self._spans.numbers([text.split() for text in cleaned])  # [S], [R]
        self._split_new()
        parts, sizes = np.array(self._parts, dtype=np.int32), np.array(self._sizes, dtype=np.int64)
        if self._joints is not None:
            whole = self._with_joints(spans, counts)
            spans, counts, more_parts, more_sizes = self._as_spans(whole, cleaned, spans, counts)
            parts, sizes = np.concatenate([parts, more_parts]), np.concatenate([sizes, more_sizes])
        numbers = _gather(parts, sizes, spans)
        ends = np.concatenate([[0], np.cumsum(sizes[spans])])[np.concatenate([[0], np.cumsum(counts)])]
        return _compact(self._words.words, numbers, np.diff(ends))

    def _split_new(self) -> None:
        new = self._spans.words[len(self._sizes) :]
        for words in self._tokenizer.split(new):
            self._sizes.append(len(words))
            self._parts.extend(map(self._words.__getitem__, words))
            if self._joints is not None:
                self._lefts.append(self._joints.left(words[-1]) if words else 0)
                self._rights.append(self._joints.right(words[0]) if words else 0)

    def _with_joints(self, spans: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Places of the texts [R] that hold a joint."""
        assert self._joints is not None
        lefts, rights = np.array(self._lefts, dtype=np.int32), np.array(self._rights, dtype=np.int32)
        places = np.flatnonzero(np.array(self._joints.table())[lefts[spans[:-1]], rights[spans[1:]]])
        ends = np.cumsum(counts)
        texts = np.searchsorted(ends, places, side="right")
        return np.unique(texts[ends[texts] > places + 1])  # else the pair's second half is in the next text

    def _as_spans(
        self, whole: np.ndarray, texts: list[str], spans: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Each of the texts `whole`, tokenized as it stands, in place of its spans: as one further span of its own."""
        parts, sizes = self._words.numbers([self._tokenizer(texts[place]) for place in whole])
        ends = np.cumsum(counts)
        starts = ends - counts
        keep = np.ones(len(spans), dtype=bool)
        spans, counts = spans.copy(), counts.copy()
        for number, place in enumerate(whole.tolist()):
            keep[starts[place] + 1 : ends[place]] = False
            spans[starts[place]] = len(self._sizes) + number
            counts[place] = 1
        return spans[keep], counts, parts, sizes


def reader(tokenizer: Tokenizer, cleaning: Cleaning) -> TextReader | SpanReader:
    return SpanReader(tokenizer, cleaning) if tokenizer.by_span else TextReader(tokenizer, cleaning)


def _gather(parts: np.ndarray, sizes: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """The parts of each of the spans [S] in turn; span i has sizes[i] parts, those of all spans stand in a row."""
    chosen = sizes[spans]
    ends = np.cumsum(chosen)
    first = (np.cumsum(sizes) - sizes)[spans]
    return parts[np.repeat(first - (ends - chosen), chosen) + np.arange(ends[-1] if len(ends) else 0)]


def _compact(words: list[str], numbers: np.ndarray, lengths: np.ndarray) -> Chunk:
    """Only the words that occur, in the order of their first occurrence."""
    first = np.full(len(words), -1, dtype=np.int64)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)  # the last assignment stays, which is the first place
    present = np.flatnonzero(first >= 0)
    present = present[np.argsort(first[present])]
    renumbered = np.empty(len(words), dtype=np.int32)
    renumbered[present] = np.arange(len(present), dtype=np.int32)
    return Chunk([words[number] for number in present.tolist()], renumbered[numbers], lengths)
