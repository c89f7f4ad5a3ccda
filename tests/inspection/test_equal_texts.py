from __future__ import annotations

import tracemalloc
from collections import Counter

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.inspection.equal_texts import EqualTexts

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", " b", "c", "", "d d"]), st.integers(0, 2)), max_size=8)


def of(**splits: list[tuple[str, int]]) -> EqualTexts:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.Value("int64")})
    columns = {
        name: {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        for name, rows in splits.items()
    }
    made = {name: datasets.Dataset.from_dict(both, features) for name, both in columns.items()}
    return EqualTexts.of(datasets.DatasetDict(made))


def test_equal_texts_are_counted_by_hand() -> None:
    found = of(train=[("a", 0), ("b", 1), ("a ", 0), ("c", 1)], valid=[("v", 0)], test=[("b", 0), ("c", 1), ("t", 1)])
    assert found.repeated == {"train": 1, "valid": 0, "test": 0}
    assert found.shared == {("valid", "train"): 0, ("test", "train"): 2, ("test", "valid"): 0}
    assert found.conflicting == 1
    groups = [[found.place(review) for review in group.tolist()] for group in found.groups]
    assert groups == [[("train", 1), ("test", 0)], [("train", 3), ("test", 1)], [("train", 0), ("train", 2)]]
    with pytest.raises(IndexError):
        found.place(8)


def test_unlabelled_reviews_conflict_with_none_and_are_trained_on_less_than_the_training_reviews() -> None:
    found = of(train=[("a", 0), ("b", 1)], test=[("a", 0), ("c", 1)], unlabelled=[("a", -1), ("c", -1), ("d", -1)])
    assert found.conflicting == 0
    assert found.shared == {("unlabelled", "train"): 1, ("test", "train"): 1, ("test", "unlabelled"): 2}
    assert found.place(5) == ("unlabelled", 1)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, ROWS)
def test_they_are_what_comparing_each_with_each_finds(train, valid, test) -> None:
    splits = {
        name: [(text.strip(), label) for text, label in rows]
        for name, rows in (("train", train), ("valid", valid), ("test", test))
    }
    found = of(train=train, valid=valid, test=test)
    texts = {name: [text for text, _ in rows] for name, rows in splits.items()}
    assert found.repeated == {name: len(rows) - len(set(rows)) for name, rows in texts.items()}
    assert found.shared == {
        (held, other): sum(text in texts[other] for text in texts[held]) for held, other in found.shared
    }
    every = [row for rows in splits.values() for row in rows]
    labels = {text: {label for other, label in every if other == text} for text, _ in every}
    assert found.conflicting == sum(len(different) > 1 for different in labels.values())
    counts = Counter(text for text, _ in every)
    assert sorted(len(group) for group in found.groups) == sorted(count for count in counts.values() if count > 1)
    for group in found.groups:
        assert len({every[review][0] for review in group.tolist()}) == 1


def test_a_review_whose_text_occurs_once_takes_no_more_than_75_bytes() -> None:
    rows = 50_000
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.Value("int64")})
    split = datasets.Dataset.from_dict({"text": [*map(str, range(rows))], "label": [0] * rows}, features)
    tracemalloc.start()
    try:
        assert EqualTexts.of(datasets.DatasetDict(train=split)).groups == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 75 * rows
