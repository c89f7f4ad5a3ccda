from __future__ import annotations

import logging
from pathlib import Path

import datasets
import numpy as np
import pytest

from sentexp.text import encoded_reviews
from sentexp.text.cache import Cache
from sentexp.text.encoding import DROPPED, ReviewLayout
from sentexp.text.raw_tokens import IDS, RawTokens
from sentexp.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["<unk>", "<pad>", "good", "two\nlines"])


def write(cache: Cache, key: str, folder: Path) -> None:
    np.array([0, 1, 2, 0, 2], np.int32).tofile(folder / IDS)
    raw = RawTokens(["Good", "!", "rare"], np.array([0, 3, 3, 5]), folder / IDS)
    table = np.array([2, DROPPED, VOCABULARY.unk_index], np.int32)
    layout = ReviewLayout(unk=VOCABULARY.unk_index, room=1, head=1)
    with cache.new(key) as draft:
        encoded_reviews.write_split(draft, "train", raw, np.array([1, 0, 1]), layout, table)
        encoded_reviews.write_vocabulary(draft, VOCABULARY)


def test_what_was_written_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("sentexp.text.raw_tokens.TOKENS_PER_RANGE", 1)  # a range per review
    cache = Cache(tmp_path, "encoded")
    assert encoded_reviews.find(cache, "k", ["train"], None) is None
    write(cache, "k", tmp_path)
    found = encoded_reviews.find(cache, "k", ["train"], 7)
    assert found is not None
    assert found.vocabulary == VOCABULARY
    corpus = found.corpora["train"]
    assert (corpus.ids.tolist(), corpus.offsets.tolist(), corpus.labels.tolist()) == (
        [2, 0, 2],
        [0, 1, 2, 3],
        [1, 0, 1],
    )
    assert (corpus.pad_index, corpus.width) == (VOCABULARY.pad_index, 7)
    assert found.report == {
        "train/reviews": 3,
        "train/raw_tokens": 5,
        "train/tokens": 2,
        "train/unknown_share": 0.0,
        "train/truncated": 2,
        "train/empty": 1,
        "vocabulary": 4,
    }


@pytest.mark.parametrize(("file", "content"), [("vocab.txt", b"<unk>\n<unk>\ngood\ntwo\\nlines\n"), ("train.ids", b"")])
def test_a_damaged_entry_counts_as_missing_and_is_warned_of(tmp_path, caplog, file, content):
    cache = Cache(tmp_path, "encoded")
    write(cache, "k", tmp_path)
    (tmp_path / "encoded" / "k" / file).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert encoded_reviews.find(cache, "k", ["train"], None) is None
        assert encoded_reviews.find(cache, "k", ["train"], None) is None
    assert [record.getMessage().count(": damaged (") for record in caplog.records] == [1]


def test_labels_are_those_of_the_split_in_order():
    labels = encoded_reviews.labels_of(datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [2, 0, 1]}))
    assert (labels.dtype, labels.tolist()) == (np.int64, [2, 0, 1])
