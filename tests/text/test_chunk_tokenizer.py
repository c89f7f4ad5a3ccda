from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.text import chunk_tokenizer
from sentexp.text.chunk_tokenizer import Chunk, SpanReader, TextReader, reader
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
SPACY_READER = SpanReader(SPACY, Cleaning())


def words_of(chunk: Chunk) -> list[list[str]]:
    words, start = [], 0
    for length in chunk.lengths.tolist():
        words.append([chunk.words[number] for number in chunk.numbers[start : start + length]])
        start += length
    assert start == len(chunk.numbers)
    return words


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=8))
def test_spacy_read_by_parts_is_spacy_read_whole(texts):
    expected = [SPACY(Cleaning().text(text)) for text in texts]
    assert words_of(SPACY_READER.read(texts)) == expected


def test_an_exception_that_reaches_over_a_space_is_seen():
    texts = ["foo:) )", "foo:)", ") foo"]
    assert words_of(SPACY_READER.read(texts)) == [["foo", ":", ")", ")"], ["foo", ":)"], [")", "foo"]]


@pytest.mark.parametrize("language", ["de", "fr", "xx", "zh"])
def test_other_languages_are_read_as_spacy_reads_them(language):
    tokenizer = SpacyTokenizer(language)
    texts = ["Das ist z. B. gut :) ) - l'été d'aujourd'hui, 10 km.", "这 电影 好。 C'est-à-dire ..."]
    assert words_of(reader(tokenizer, Cleaning()).read(texts)) == [tokenizer(text) for text in texts]


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.sampled_from([BasicTokenizer(), WhitespaceTokenizer()]))
def test_parts_and_whole_texts_give_the_same_chunk(texts, tokenizer):
    by_part, whole = SpanReader(tokenizer, Cleaning()).read(texts), TextReader(tokenizer, Cleaning()).read(texts)
    assert by_part.words == whole.words
    assert by_part.numbers.tolist() == whole.numbers.tolist()
    assert by_part.lengths.tolist() == whole.lengths.tolist()


def test_words_come_in_the_order_of_their_first_occurrence_whatever_was_read_before():
    fresh, used = (SpanReader(WhitespaceTokenizer(), Cleaning()) for _ in range(2))
    used.read(["c a x", "y"])
    for one in (fresh, used):
        chunk = one.read(["b a b", "", "c"])
        assert chunk.words == ["b", "a", "c"]
        assert chunk.numbers.tolist() == [0, 1, 0, 2]
        assert chunk.lengths.tolist() == [3, 0, 1]


def test_a_reader_that_forgot_reads_the_same(monkeypatch):
    monkeypatch.setattr(chunk_tokenizer, "SPANS", 1)
    forgetful = SpanReader(SPACY, Cleaning())
    for _ in range(3):
        assert words_of(forgetful.read(["a good film", "not good :) )"])) == [
            ["a", "good", "film"],
            ["not", "good", ":)", ")"],
        ]
        assert len(forgetful._spans) < 8


def test_a_text_that_cannot_be_read_does_not_spoil_the_next():
    used = SpanReader(SPACY, Cleaning())
    with pytest.raises(UnicodeEncodeError):
        used.read(["half a pair: \ud83d", "film"])
    assert words_of(used.read(["a film"])) == [["a", "film"]]


def test_callables_are_read_text_by_text():
    assert isinstance(reader(CallableTokenizer("shlex.split"), Cleaning()), TextReader)
    assert isinstance(reader(SpacyTokenizer("zh"), Cleaning()), TextReader)
    assert isinstance(reader(SPACY, Cleaning()), SpanReader)


@pytest.mark.slow
def test_real_reviews_read_by_parts_are_spacy_read_whole():
    if not IMDB.is_dir():
        pytest.skip("needs ../shared/data/imdb")
    import pyarrow.parquet

    file = next(iter(sorted(IMDB.glob("**/test-*.parquet"))))
    texts = pyarrow.parquet.read_table(file).column("text").to_pylist()[::25]
    read = SpanReader(SPACY, Cleaning())
    for start in range(0, len(texts), 100):
        some = texts[start : start + 100]
        assert words_of(read.read(some)) == [SPACY(Cleaning().text(text)) for text in some]
