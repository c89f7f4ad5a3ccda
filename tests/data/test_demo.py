from __future__ import annotations

import hashlib
import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from sentexp.data import demo
from sentexp.data.demo_phrases import POLAR
from sentexp.errors import SentexpError

SIZE = 4000  # reviews, 3000 of them to learn from


@pytest.fixture(scope="module")
def corpus():
    return demo.write_reviews(SIZE, seed=0)


def load(**changes):
    arguments = {"size": 300, "test_fraction": 0.2, "valid_fraction": 0.1, "limit": None, "seed": 0}
    return demo.load(**{**arguments, **changes})


def test_the_same_seed_writes_the_same_reviews_on_every_machine():
    texts, labels = demo.write_reviews(50, seed=0)
    written = hashlib.sha256(repr((texts, labels)).encode()).hexdigest()
    # Changes only when the phrases or the generator do: then digests recorded with older runs no longer match.
    assert written[:16] == "b80bcaec685b8abf"
    assert demo.write_reviews(50, seed=1) != (texts, labels)


def test_no_review_comes_twice_so_none_of_the_test_is_in_training(corpus):
    texts, _ = corpus
    assert len(set(texts)) == SIZE
    splits = load().splits
    assert not set(splits["test"]["text"]) & (set(splits["train"]["text"]) | set(splits["valid"]["text"]))


def test_further_reviews_are_new_and_change_none_of_the_others():
    plain, more = load(), load(unlabelled=50)
    assert {split: more.digests[split] for split in plain.digests} == plain.digests
    further = set(more.splits["unlabelled"]["text"])
    assert len(further) == 50
    assert not further & {text for rows in plain.splits.values() for text in rows["text"]}
    assert set(more.splits["unlabelled"]["label"]) == {-1}


def test_few_labels_of_the_demo():
    sizes = {split: len(rows) for split, rows in load(unlabelled=50, labels=16).splits.items()}
    assert sizes == {"train": 16, "valid": 24, "test": 60, "unlabelled": 250}


def test_labels_are_balanced_and_shuffled(corpus):
    _, labels = corpus
    assert sum(labels) == SIZE // 2
    assert 0.45 < np.mean(np.diff(labels) != 0) < 0.55


def test_reviews_have_the_length_of_short_reviews(corpus):
    lengths = [len(text.split()) for text in corpus[0]]
    assert min(lengths) >= 15
    assert 50 < np.mean(lengths) < 80
    assert max(lengths) > 150


def test_reviews_are_written_properly(corpus):
    for text in corpus[0]:
        assert not set(text) & set("{}")
        assert not re.search(r"\s\s|\s[.,;!]|[.,;]{2}", text), text
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n (?!hour)[^aeiou]", text), text
        for sentence in re.split(r"(?<=[.!]) ", text):
            assert sentence[0].isupper(), text
            assert sentence[-1] in ".!", text
        assert not re.search(r", (The|My|It|At|Nobody|This|Do|Although|What|People) ", text), text


@pytest.mark.parametrize("kind", POLAR)
def test_leaning_words_are_nearly_as_frequent_in_reviews_of_either_label(corpus, kind):
    words = Counter()
    for text, label in zip(*corpus, strict=True):
        words.update((word, label) for word in re.findall(r"[a-z]+", text.lower()))
    own = sum(words[word, label] for label, leaning in enumerate(POLAR[kind]) for word in leaning)
    every = sum(words[word, label] for leaning in POLAR[kind] for word in leaning for label in (0, 1))
    assert 0.4 < own / every < 0.65


@pytest.mark.parametrize("cue", ["not", "never", "hardly", "but", "critics", "wrong", "expected", "though"])
def test_cues_are_as_frequent_in_reviews_of_either_label(corpus, cue):
    counts = Counter(label for text, label in zip(*corpus, strict=True) if cue in re.findall("[a-z]+", text.lower()))
    assert 0.4 < counts[1] / counts.total() < 0.6


def test_counting_words_tells_a_little_and_word_pairs_tell_more(corpus):
    texts, labels = corpus

    def accuracy(longest):
        words = CountVectorizer(ngram_range=(1, longest)).fit(texts[:3000])
        model = LogisticRegression(max_iter=1000).fit(words.transform(texts[:3000]), labels[:3000])
        return model.score(words.transform(texts[3000:]), labels[3000:])

    single, pairs = accuracy(1), accuracy(2)
    assert 0.6 < single < 0.78
    assert pairs > single + 0.1


def test_loads_splits_of_the_sizes_asked_for():
    reviews = load()
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 216, "valid": 24, "test": 60}
    assert reviews.labels == ["negative", "positive"]
    assert sum(reviews.splits["test"]["label"]) == 30
    assert reviews.source == "demo corpus, 300 reviews, seed 0"
    assert reviews.skipped == {}
    assert reviews.digests == load().digests
    assert reviews.digests["train"] != load(seed=1).digests["train"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid_fraction": 0.001}, "data.valid_fraction=0.001"),
        ({"limit": 1}, "data.limit=1"),
    ],
)
def test_refuses_what_leaves_no_reviews(changes, message):
    with pytest.raises(SentexpError, match=re.escape(message)):
        load(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 1}, "size=1: expected at least one review of each label"),
        ({"test_fraction": 0.0}, "data.test_fraction=0.0"),
        ({"valid_fraction": 1.0}, "data.valid_fraction=1.0"),
    ],
)
def test_refuses_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load(**changes)
