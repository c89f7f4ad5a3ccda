from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.use.slices import NEGATION, Slice, slice_table, slices


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("It is not good", True),
        ("I don't like it", True),
        ("I don’t like it", True),
        ("it does n 't show", True),
        ("it does n't show", True),
        ("I dont like it", True),
        ("NEVER again", True),
        ("you cannot be serious", True),
        ("no.", True),
        ("a notable nose", False),
        ("another one, northern", False),
        ("I want it", False),
        ("the wont of kings", True),  # the price of finding `wont` for `won't`
        ("", False),
    ],
)
def test_english_negations_are_found_in_any_spelling(text: str, negated: bool) -> None:
    assert (NEGATION.search(text) is not None) is negated


REVIEWS = st.lists(
    st.tuples(st.integers(1, 500), st.floats(0, 1), st.integers(0, 2), st.sampled_from(["not bad", "good"])), min_size=1
)


@given(REVIEWS)
def test_each_kind_of_slice_holds_every_review_once_and_none_is_empty(reviews) -> None:
    lengths, known, labels, texts = map(list, zip(*reviews, strict=True))
    parts, notes = slices(
        np.array(lengths), np.array(known), np.array(labels), texts, names=["a", "b", "c"], language="en"
    )
    assert notes == []
    assert list(dict.fromkeys(part.kind for part in parts)) == ["length", "negation", "unknown words", "label"]
    for kind in {part.kind for part in parts}:
        assert (sum(part.rows.astype(int) for part in parts if part.kind == kind) == 1).all()
    assert all(part.rows.any() for part in parts)


def test_the_parts_are_named_by_what_they_hold() -> None:
    parts, _ = slices(
        np.array([1, 2, 5, 9]), np.array([1, 0.96, 0.85, 0.5]), np.array([0, 0, 1, 1]), ["no"] * 4,
        names=["neg", "pos"], language="en",
    )  # fmt: skip
    names = {kind: [part.name for part in parts if part.kind == kind] for kind in ("length", "unknown words", "label")}
    assert names == {
        "length": ["1 word", "2-4 words", "5-8 words", "9 words"],
        "unknown words": ["none", "up to 5 %", "10 % to 20 %", "above 20 %"],
        "label": ["neg", "pos"],
    }


def test_negation_is_looked_for_in_english_only_and_that_is_said() -> None:
    parts, notes = slices(np.array([1]), np.array([1.0]), np.array([0]), ["no"], names=["a", "b"], language="de")
    assert "negation" not in {part.kind for part in parts}
    assert notes == ["no slices by negation: its words are English, tokenizer.language is de"]


def test_the_table_counts_the_reviews_and_those_that_are_right() -> None:
    rows = np.array([True, True, True, False])
    table = slice_table([Slice("label", "pos", rows)], np.array([True, False, True, False]))
    (row,) = table.to_dict("records")
    assert (row["slice"], row["part"], row["reviews"]) == ("label", "pos", 3)
    assert row["accuracy"] == pytest.approx(2 / 3)
    assert row["low"] <= row["accuracy"] <= row["high"]


def test_the_interval_of_a_slice_is_wilsons_so_that_three_of_three_are_no_certainty() -> None:
    three, all_wrong = np.array([True, True, True, False, False]), np.array([False, False, False, True, True])
    table = slice_table([Slice("label", "pos", three), Slice("label", "neg", all_wrong)], three)
    assert table["accuracy"].tolist() == [1, 0]
    assert table["low"].tolist() == pytest.approx([0.4385, 0], abs=1e-4)
    assert table["high"].tolist() == pytest.approx([1, 0.6576], abs=1e-4)
