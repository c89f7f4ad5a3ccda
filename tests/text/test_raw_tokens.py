from __future__ import annotations

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.errors import SentexpError
from sentexp.text import raw_tokens as module
from sentexp.text.cleaning import Cleaning
from sentexp.text.raw_tokens import RawTokens, chunks, raw_tokens
from sentexp.text.tokenizers import BasicTokenizer, CallableTokenizer, WhitespaceTokenizer

TEXTS = ["b a", "", "a c<br />", "b b b"]


def read(cache_dir, texts=TEXTS, tokenizer=None, digest="d", cleaning=None, **settings) -> RawTokens:
    splits = {"train": datasets.Dataset.from_dict({"text": texts, "label": [0] * len(texts)})}
    tokens = raw_tokens(
        splits,
        {"train": digest},
        tokenizer=tokenizer or WhitespaceTokenizer(),
        cleaning=cleaning or Cleaning(),
        cache_dir=cache_dir,
        **settings,
    )
    return tokens["train"]


def test_words_are_numbered_in_the_order_of_their_first_occurrence(tmp_path):
    tokens = read(tmp_path)
    assert tokens.words == ["b", "a", "c"]
    assert tokens.numbers(0, 4).tolist() == [0, 1, 1, 2, 0, 0, 0]
    assert tokens.numbers(2, 3).tolist() == [1, 2]
    assert tokens.offsets.tolist() == [0, 2, 2, 4, 7]
    assert tokens.counts().tolist() == [4, 2, 1]


def test_chunks_make_no_difference(tmp_path, monkeypatch):
    whole = read(tmp_path / "whole")
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    monkeypatch.setattr(module, "CHUNK_TOKENS", 2)
    reported = []
    pieces = read(tmp_path / "pieces", progress=lambda *state: reported.append(state))
    assert (pieces.words, pieces.counts().tolist()) == (whole.words, whole.counts().tolist())
    assert reported == [(done, 4, "tokenizing") for done in (1, 2, 3, 4)]


def test_what_was_read_before_is_not_read_again(tmp_path, monkeypatch):
    before = read(tmp_path)
    monkeypatch.setattr(module, "_read", None)
    assert read(tmp_path, cleaning=Cleaning(lowercase=False, numbers=True)).words == before.words


@pytest.mark.parametrize(
    "other", [{"digest": "e"}, {"tokenizer": BasicTokenizer()}, {"cleaning": Cleaning(html=False)}]
)
def test_other_texts_tokenizers_and_cleaning_of_html_are_read_anew(tmp_path, monkeypatch, other):
    read(tmp_path)
    monkeypatch.setattr(module, "_read", None)
    with pytest.raises(TypeError):
        read(tmp_path, **other)


def test_reviews_without_a_word_are_read(tmp_path):
    tokens = read(tmp_path, ["", " "])
    assert (tokens.words, tokens.offsets.tolist(), tokens.counts().tolist()) == ([], [0, 0, 0], [])
    assert tokens.numbers(0, 2).tolist() == []


def test_two_splits_of_one_content_are_one_entry(tmp_path):
    split = datasets.Dataset.from_dict({"text": TEXTS})
    tokens = raw_tokens(
        {"valid": split, "test": split},
        {"valid": "d", "test": "d"},
        tokenizer=WhitespaceTokenizer(),
        cleaning=Cleaning(),
        cache_dir=tmp_path,
    )
    assert tokens["valid"].file == tokens["test"].file


def test_a_tokenizer_that_fails_leaves_no_entry(tmp_path):
    with pytest.raises(SentexpError, match=r"tokenizer.path=json.loads"):
        read(tmp_path, tokenizer=CallableTokenizer("json.loads"))
    assert [path.suffix for path in (tmp_path / "tokens").iterdir() if path.suffix != ".lock"] == []


@given(st.lists(st.integers(0, 3_000_000), max_size=20))
def test_ranges_cover_all_reviews_once_and_stay_small(lengths):
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    ranges = list(chunks(offsets))
    assert [row for start, stop in ranges for row in range(start, stop)] == list(range(len(lengths)))
    for start, stop in ranges:
        assert stop - start == 1 or offsets[stop] - offsets[start] <= module.CHUNK_TOKENS
