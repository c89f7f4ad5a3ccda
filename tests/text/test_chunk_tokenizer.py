from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.text import chunk_tokenizer as module
from sentexp.text.chunk_tokenizer import SpanTokenizer, TokenizedChunk, WholeTextTokenizer, chunk_tokenizer
from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import BasicTokenizer, CallableTokenizer, SpacyTokenizer, WhitespaceTokenizer

IMDB = Path(__file__).parents[2] / "../shared/data/imdb"

PIECES = [":", ")", "(", ":)", ":))", "8)", "'s", "a.m.", "is", "n't", "don't", ".", "...", "-", "film", "C++", "10"]
PIECES += [
    "am",
    "<br />",
    "&amp;",
    "\n",
    "\t",
    "  ",
    " ",
    " ",
    " ",
    "'",
    "\xa0",
    "e.g.",
    "Ph.D.",
    "_",
    "*",
    "http://x.y",
]
PIECES += ["é"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)

SPACY = SpacyTokenizer()
BY_SPAN = SpanTokenizer(SPACY, Cleaning())


def tokens_of(chunk: TokenizedChunk) -> list[list[str]]:
    tokens, start = [], 0
    for length in chunk.lengths.tolist():
        tokens.append([chunk.tokens[id] for id in chunk.ids[start : start + length]])
        start += length
    assert start == len(chunk.ids)
    return tokens


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=8))
def test_spacy_by_span_is_spacy_by_whole_text(texts):
    expected = [SPACY(Cleaning().text(text)) for text in texts]
    assert tokens_of(BY_SPAN.tokenize(texts)) == expected


def test_an_exception_that_spans_white_space_is_seen():
    texts = ["foo:) )", "foo:)", ") foo"]
    assert tokens_of(BY_SPAN.tokenize(texts)) == [["foo", ":", ")", ")"], ["foo", ":)"], [")", "foo"]]


@pytest.mark.parametrize("language", ["de", "fr", "xx", "zh"])
def test_other_languages_are_tokenized_as_spacy_does(language):
    tokenizer = SpacyTokenizer(language)
    texts = ["Das ist z. B. gut :) ) - l'été d'aujourd'hui, 10 km.", "这 电影 好。 C'est-à-dire ..."]
    assert tokens_of(chunk_tokenizer(tokenizer, Cleaning()).tokenize(texts)) == [tokenizer(text) for text in texts]


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.sampled_from([BasicTokenizer(), WhitespaceTokenizer()]))
def test_spans_and_whole_texts_give_the_same_chunk(texts, tokenizer):
    by_span, whole = (way(tokenizer, Cleaning()).tokenize(texts) for way in (SpanTokenizer, WholeTextTokenizer))
    assert by_span.tokens == whole.tokens
    assert by_span.ids.tolist() == whole.ids.tolist()
    assert by_span.lengths.tolist() == whole.lengths.tolist()


def test_tokens_come_in_the_order_of_their_first_occurrence_whatever_was_met_before():
    fresh, used = (SpanTokenizer(WhitespaceTokenizer(), Cleaning()) for _ in range(2))
    used.tokenize(["c a x", "y"])
    for one in (fresh, used):
        chunk = one.tokenize(["b a b", "", "c"])
        assert chunk.tokens == ["b", "a", "c"]
        assert chunk.ids.tolist() == [0, 1, 0, 2]
        assert chunk.lengths.tolist() == [3, 0, 1]


def test_a_tokenizer_that_forgot_gives_the_same(monkeypatch):
    monkeypatch.setattr(module, "MAX_SPANS", 1)
    forgetful = SpanTokenizer(SPACY, Cleaning())
    for _ in range(3):
        assert tokens_of(forgetful.tokenize(["a good film", "not good :) )"])) == [
            ["a", "good", "film"],
            ["not", "good", ":)", ")"],
        ]
        assert len(forgetful._spans) < 8


def test_a_text_that_cannot_be_tokenized_does_not_spoil_the_next():
    used = SpanTokenizer(SPACY, Cleaning())
    with pytest.raises(UnicodeEncodeError):
        used.tokenize(["half a pair: \ud83d", "film"])
    assert tokens_of(used.tokenize(["a film"])) == [["a", "film"]]


def test_callables_and_chinese_are_tokenized_text_by_text():
    assert isinstance(chunk_tokenizer(CallableTokenizer("shlex.split"), Cleaning()), WholeTextTokenizer)
    assert isinstance(chunk_tokenizer(SpacyTokenizer("zh"), Cleaning()), WholeTextTokenizer)
    assert isinstance(chunk_tokenizer(SPACY, Cleaning()), SpanTokenizer)


class Letters:
    key = "letters"

    def __call__(self, text: str) -> list[str]:
        return [character for character in text if not character.isspace()]


class LettersBySpan(Letters):
    by_span = True


def test_a_tokenizer_with_a_key_and_a_call_alone_is_enough():
    texts = ["a bc", "", "bc<br/>\nab"]
    whole, by_span = (chunk_tokenizer(tokenizer, Cleaning()) for tokenizer in (Letters(), LettersBySpan()))
    assert (type(whole), type(by_span)) == (WholeTextTokenizer, SpanTokenizer)
    assert tokens_of(whole.tokenize(texts)) == [["a", "b", "c"], [], ["b", "c", "a", "b"]]
    assert tokens_of(by_span.tokenize(texts)) == tokens_of(whole.tokenize(texts))


@pytest.mark.slow
def test_real_reviews_by_span_are_spacy_by_whole_text():
    if not IMDB.is_dir():
        pytest.skip("needs ../shared/data/imdb")
    import pyarrow.parquet

    file = next(iter(sorted(IMDB.glob("**/test-*.parquet"))))
    texts = pyarrow.parquet.read_table(file).column("text").to_pylist()[::25]
    by_span = SpanTokenizer(SPACY, Cleaning())
    for start in range(0, len(texts), 100):
        some = texts[start : start + 100]
        assert tokens_of(by_span.tokenize(some)) == [SPACY(Cleaning().text(text)) for text in some]
