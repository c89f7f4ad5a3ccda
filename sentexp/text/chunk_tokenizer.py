"""Tokenize a chunk of reviews: its distinct tokens, and all its tokens in turn as places among these (raw ids).

There are two ways with the same result: WholeTextTokenizer tokenizes each text as a whole, SpanTokenizer tokenizes each
distinct span once and looks it up. `chunk_tokenizer` chooses.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sentexp.text import tokenizers
from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import Tokenizer

# Shapes: R reviews in the chunk, N tokens in all of them, S spans in all of them; a span is a piece between white space

MAX_SPANS = 250_000
"""Distinct spans that are remembered, about 100 MB. Then all are forgotten; the common ones are soon back."""


class TokenizedChunk(NamedTuple):
    tokens: list[str]
    """The distinct tokens, in the order of their first occurrence: the same however reviews are dealt to processes."""
    ids: np.ndarray
    """int32 [N], places in `tokens`."""
    lengths: np.ndarray
    """int64 [R], tokens of each review."""


class Index(dict[str, int]):
    """Maps each string to an id, counted from 0 in the order of the first look-up; `strings` maps back."""

    def __init__(self) -> None:
        self.strings: list[str] = []

    def __missing__(self, string: str) -> int:
        id = self[string] = len(self.strings)
        self.strings.append(string)
        return id

    def ids(self, texts: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Look up the strings of each text: all their ids in turn, int32 [N], and how many each text has, int64 [R]."""
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        strings = itertools.chain.from_iterable(texts)
        return np.fromiter(map(self.__getitem__, strings), dtype=np.int32, count=int(lengths.sum())), lengths


class WholeTextTokenizer:
    """Cleans and tokenizes each text as a whole."""

    def __init__(self, tokenizer: Tokenizer, cleaning: Cleaning) -> None:
        self._tokenizer = tokenizer
        self._cleaning = cleaning

    def tokenize(self, texts: Sequence[str]) -> TokenizedChunk:
        index = Index()
        ids, lengths = index.ids([self._tokenizer(self._cleaning.text(text)) for text in texts])
        return TokenizedChunk(index.strings, ids, lengths)


class SpanTokenizer:
    """Cleans each text and looks its spans up; only a span that was not met before is tokenized.

    On IMDB's training reviews it takes 0.55 of the time of tokenizing each text with the same tokenizer, as
    experiments/speed/tokenizing.md shows. The result is the same: a text with a white space that may be spanned (see
    spanned_spaces.py) is tokenized whole.
    """

    def __init__(self, tokenizer: Tokenizer, cleaning: Cleaning) -> None:
        self._tokenizer = tokenizer
        self._cleaning = cleaning
        self._spanned_spaces = tokenizers.spanned_spaces(tokenizer)
        self._forget()

    def _forget(self) -> None:
        self._spans = Index()
        self._tokens = Index()
        self._span_ids = array("i")  # the token ids of all spans in turn
        self._span_lengths = array("i")  # how many of them each span has
        self._end_kinds = array("i")  # kinds of each span's ends, as in spanned_spaces.py
        self._start_kinds = array("i")

    def tokenize(self, texts: Sequence[str]) -> TokenizedChunk:
        if len(self._spans) > MAX_SPANS:
            self._forget()
        try:
            return self._chunk(texts)
        except BaseException:
            self._forget()  # some spans may be in the index that were not tokenized
            raise

    def _chunk(self, texts: Sequence[str]) -> TokenizedChunk:
        cleaned = [self._cleaning.text(text) for text in texts]
        spans, counts = self._spans.ids([text.split() for text in cleaned])  # [S], [R]
        self._tokenize_new_spans()
        span_ids = np.array(self._span_ids, dtype=np.int32)
        span_lengths = np.array(self._span_lengths, dtype=np.int64)
        if self._spanned_spaces is not None:
            whole = self._texts_with_spanned_spaces(spans, counts)
            spans, counts, more_ids, more_lengths = self._as_single_spans(whole, cleaned, spans, counts)
            span_ids = np.concatenate([span_ids, more_ids])
            span_lengths = np.concatenate([span_lengths, more_lengths])
        ids = _gather(span_ids, span_lengths, spans)
        ends = np.concatenate([[0], np.cumsum(span_lengths[spans])])[np.concatenate([[0], np.cumsum(counts)])]
        return _only_present(self._tokens.strings, ids, np.diff(ends))

    def _tokenize_new_spans(self) -> None:
        new = self._spans.strings[len(self._span_lengths) :]
        for tokens in tokenizers.tokenize_spans(self._tokenizer, new):
            self._span_lengths.append(len(tokens))
            self._span_ids.extend(map(self._tokens.__getitem__, tokens))
            if self._spanned_spaces is not None:
                self._end_kinds.append(self._spanned_spaces.end_kind(tokens[-1]) if tokens else 0)
                self._start_kinds.append(self._spanned_spaces.start_kind(tokens[0]) if tokens else 0)

    def _texts_with_spanned_spaces(self, spans: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the places of the texts in which white space may be spanned."""
        assert self._spanned_spaces is not None
        ends, starts = np.array(self._end_kinds, dtype=np.int32), np.array(self._start_kinds, dtype=np.int32)
        spanned = np.array(self._spanned_spaces.table())[ends[spans[:-1]], starts[spans[1:]]]  # [S - 1]
        places = np.flatnonzero(spanned)
        text_ends = np.cumsum(counts)
        texts = np.searchsorted(text_ends, places, side="right")
        return np.unique(texts[text_ends[texts] > places + 1])  # else the pair's second span is in the next text

    def _as_single_spans(
        self, whole: np.ndarray, texts: list[str], spans: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Replace the spans of each text in `whole` by one further span, which is the text tokenized as a whole.

        Returns the new `spans` and `counts`, and the token ids and lengths of the further spans.
        """
        ids, lengths = self._tokens.ids([self._tokenizer(texts[place]) for place in whole])
        ends = np.cumsum(counts)
        starts = ends - counts
        keep = np.ones(len(spans), dtype=bool)
        spans, counts = spans.copy(), counts.copy()
        for number, place in enumerate(whole.tolist()):
            keep[starts[place] + 1 : ends[place]] = False
            spans[starts[place]] = len(self._span_lengths) + number
            counts[place] = 1
        return spans[keep], counts, ids, lengths


def chunk_tokenizer(tokenizer: Tokenizer, cleaning: Cleaning) -> WholeTextTokenizer | SpanTokenizer:
    way = SpanTokenizer if tokenizers.is_by_span(tokenizer) else WholeTextTokenizer
    return way(tokenizer, cleaning)


def _gather(span_ids: np.ndarray, span_lengths: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return the token ids of the `spans` [S] in turn; `span_ids` has those of all distinct spans in a row."""
    lengths = span_lengths[spans]
    ends = np.cumsum(lengths)
    first = (np.cumsum(span_lengths) - span_lengths)[spans]
    return span_ids[np.repeat(first - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)]


def _only_present(tokens: list[str], ids: np.ndarray, lengths: np.ndarray) -> TokenizedChunk:
    """Make a chunk that knows only the tokens that occur in it, in the order of their first occurrence."""
    first = np.full(len(tokens), -1, dtype=np.int64)
    first[ids[::-1]] = np.arange(len(ids) - 1, -1, -1)  # the last assignment stays, which is the first place
    present = np.flatnonzero(first >= 0)
    present = present[np.argsort(first[present])]
    new_ids = np.empty(len(tokens), dtype=np.int32)
    new_ids[present] = np.arange(len(present), dtype=np.int32)
    return TokenizedChunk([tokens[id] for id in present.tolist()], new_ids[ids], lengths)
