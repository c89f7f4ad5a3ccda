"""Spans of very many marks, in which spaCy's own time grows with the square of their number."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.text.spacy_tokenizer import LONG, SpacyTokenizer

MARKS = [
    "!",
    "?",
    "(",
    ")",
    "*",
    ",",
    "$",
    "'",
    '"',
    "_",
    ":",
    "…",
    "...",
    "--",
    "😀",
    "'s",
    ":)",
    ":-)",
    "<3",
    "]",
    "%",
]
WORDS = ["word", "a", "1,5", "don't", "U.S.", "http://a.b/c", "km", "C++"]

PLAIN = spacy.blank("en").tokenizer
OURS = SpacyTokenizer()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(MARKS + WORDS), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.integers(LONG // 2, LONG + LONG // 2),
    st.sampled_from(["", "word"]),
)
def test_long_spans_have_the_tokens_of_spacy(pool, random, count, around):
    span = around + "".join(random.choice(pool) for _ in range(count)) + around
    expected = [token.text for token in PLAIN(span)]
    assert OURS(span) == expected
    assert OURS.tokenize_spans(["so", span, "!"]) == [["so"], expected, ["!"]]
    assert OURS(f"  well :) {span}\n\n{span} ok.") == ["well", ":)", *expected, *expected, "ok", "."]


@pytest.mark.parametrize("count", range(1000, 1012))
def test_a_mark_that_is_longer_at_the_end_than_at_the_beginning(count):
    assert OURS("…" * count) == [token.text for token in PLAIN("…" * count)]


@pytest.mark.parametrize("mark", [")", "(", "*", "😀"])
def test_a_run_of_one_mark_is_read_although_exceptions_hold_it(mark):
    assert OURS(mark * 30_000) == [mark] * 30_000


def test_a_long_text_without_spaces_in_a_language_that_has_none():
    text = "这部电影很好看。" * 200
    assert SpacyTokenizer("zh")(text) == [token.text for token in spacy.blank("zh").tokenizer(text)]


def test_a_hundred_thousand_marks_are_read():
    """spaCy alone takes time with the square of their number: 0.4 s for 2,000, so a quarter of an hour for these."""
    assert OURS("!" * 100_000 + "good" + "?!" * 10_000) == ["!"] * 100_000 + ["good"] + ["?", "!"] * 10_000
