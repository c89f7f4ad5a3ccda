from __future__ import annotations

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.errors import SentexpError
from sentexp.text import raw_tokens as module
from sentexp.text.cleaning import Cleaning
from sentexp.text.raw_tokens import RawTokens, ranges, tokenize_splits
from sentexp.text.tokenizers import BasicTokenizer, CallableTokenizer, WhitespaceTokenizer

TEXTS = ["b a", "", "a c<br />", "b b b"]


def tokenized(cache_dir, texts=TEXTS, tokenizer=None, digest="d", cleaning=None, **settings) -> RawTokens:
    splits = {"train": datasets.Dataset.from_dict({"text": texts, "label": [0] * len(texts)})}
    tokens = tokenize_splits(
        splits,
        {"train": digest},
        tokenizer=tokenizer or WhitespaceTokenizer(),
        cleaning=cleaning or Cleaning(),
        cache_dir=cache_dir,
        **settings,
    )
    return tokens["train"]


def test_tokens_are_numbered_in_the_order_of_their_first_occurrence(tmp_path):
    tokens = tokenized(tmp_path)
    assert tokens.tokens == ["b", "a", "c"]
    assert tokens.ids(0, 4).tolist() == [0, 1, 1, 2, 0, 0, 0]
    assert tokens.ids(2, 3).tolist() == [1, 2]
    assert tokens.offsets.tolist() == [0, 2, 2, 4, 7]
    assert tokens.counts().tolist() == [4, 2, 1]


def test_chunks_make_no_difference(tmp_path, monkeypatch):
    whole = tokenized(tmp_path / "whole")
    monkeypatch.setattr(module, "BYTES_PER_CHUNK", 1)
    monkeypatch.setattr(module, "TOKENS_PER_RANGE", 2)
    reported = []
    pieces = tokenized(tmp_path / "pieces", progress=lambda *state: reported.append(state))
    assert (pieces.tokens, pieces.counts().tolist()) == (whole.tokens, whole.counts().tolist())
    assert reported == [(done, 4, "tokenizing") for done in (1, 2, 3, 4)]


def test_what_was_tokenized_before_is_not_tokenized_again(tmp_path, monkeypatch):
    before = tokenized(tmp_path)
    monkeypatch.setattr(module, "_tokenize", None)
    assert tokenized(tmp_path, cleaning=Cleaning(lowercase=False, numbers=True)).tokens == before.tokens


@pytest.mark.parametrize(
    "other", [{"digest": "e"}, {"tokenizer": BasicTokenizer()}, {"cleaning": Cleaning(html=False)}]
)
def test_other_texts_tokenizers_and_cleaning_of_html_are_tokenized_anew(tmp_path, monkeypatch, other):
    tokenized(tmp_path)
    monkeypatch.setattr(module, "_tokenize", None)
    with pytest.raises(TypeError):
        tokenized(tmp_path, **other)


def test_reviews_without_a_token_are_tokenized(tmp_path):
    tokens = tokenized(tmp_path, ["", " "])
    assert (tokens.tokens, tokens.offsets.tolist(), tokens.counts().tolist()) == ([], [0, 0, 0], [])
    assert tokens.ids(0, 2).tolist() == []


def test_two_splits_of_one_content_are_one_entry(tmp_path):
    split = datasets.Dataset.from_dict({"text": TEXTS})
    tokens = tokenize_splits(
        {"valid": split, "test": split},
        {"valid": "d", "test": "d"},
        tokenizer=WhitespaceTokenizer(),
        cleaning=Cleaning(),
        cache_dir=tmp_path,
    )
    assert tokens["valid"].file == tokens["test"].file


def test_a_tokenizer_that_fails_leaves_no_entry(tmp_path):
    with pytest.raises(SentexpError, match=r"tokenizer.path=json.loads"):
        tokenized(tmp_path, tokenizer=CallableTokenizer("json.loads"))
    assert [path.suffix for path in (tmp_path / "tokens").iterdir() if path.suffix != ".lock"] == []


@given(st.lists(st.integers(0, 3_000_000), max_size=20))
def test_ranges_cover_all_reviews_once_and_stay_small(lengths):
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    found = list(ranges(offsets))
    assert [row for start, stop in found for row in range(start, stop)] == list(range(len(lengths)))
    for start, stop in found:
        assert stop - start == 1 or offsets[stop] - offsets[start] <= module.TOKENS_PER_RANGE
