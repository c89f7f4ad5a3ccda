from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.inspection import text_column
from sentexp.inspection.text_column import looks_wrong


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["img/1.png", "./b.jpg", "/home/x"], "paths or addresses, such as 'img/1.png'"),
        (["https://a.b/c?d", "www.a.com"], "paths or addresses"),
        ([r"C:\texts\1.txt", r"a\b"], "paths or addresses"),
        (["5", "4.5", "3,000"], "numbers, dates or codes"),
        (["2024-01-05T10:00:00Z", "12:30", "7/10"], "numbers, dates or codes"),
        (["Anna", "Bob", "a good film that I liked"], "a single word"),
        (["Anna Berg", "Bob", "x"], "a single word"),
        (["Anna Berg", "Bob Hill"], "at most 2 words long"),
        (["one of two categories", "another of two categories"] * 30, "only 2 different texts among 60"),
    ],
)
def test_what_is_no_review_is_told(texts: list[str], words: str) -> None:
    assert words in str(looks_wrong(texts))


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["a good film", "not a good film at all", "bad"],
        ["这部电影非常好看", "剧情无聊"],
        ["หนังเรื่องนี้สนุกมาก"],
        ["10/10 would watch this one again", "3 stars out of 5 from me"],
        ["see http://a.b for more of it", "and/or something else, why not"],
        ["😀 😀 😀 😀", "so so good 😀"],
    ],
)
def test_nothing_is_told_of_reviews(texts: list[str]) -> None:
    assert looks_wrong(texts) is None


@given(st.lists(st.text(max_size=30), max_size=60))
def test_whatever_the_texts_are_the_answer_is_one_line(texts: list[str]) -> None:
    answer = looks_wrong(texts)
    assert answer is None or len(answer.splitlines()) == 1


@given(st.lists(st.text("abcdefgh", min_size=3, max_size=8), min_size=5, max_size=9), st.integers(1, 200))
def test_different_sentences_are_never_suspected(words: list[str], count: int) -> None:
    assert looks_wrong([" ".join([*words, f"nr{number}"]) for number in range(count)]) is None


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(text_column).failed == 0
