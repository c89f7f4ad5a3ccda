from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.data.splits import holdout, stratified
from sentexp.errors import SentexpError

NUMBERS = np.repeat([0, 1, 2], [50, 30, 20])


def split(numbers, fraction, seed=0):
    return holdout(np.asarray(numbers), fraction, seed, "data.valid_fraction", "train")


def test_each_label_is_held_out_in_proportion():
    kept, held = split(NUMBERS, 0.3)
    assert np.bincount(NUMBERS[held]).tolist() == [15, 9, 6]
    assert sorted([*kept, *held]) == list(range(100))


def test_the_seed_decides_and_the_choice_is_the_same_everywhere():
    assert split(NUMBERS, 0.1, seed=0)[1].tolist() == [2, 3, 11, 13, 20, 53, 59, 62, 88, 92]
    assert split(NUMBERS, 0.1, seed=1)[1].tolist() != split(NUMBERS, 0.1, seed=0)[1].tolist()


def test_neighbouring_rows_stay_together():
    for numbers in (np.repeat([0, 1], 200), np.tile([0, 1], 200)):
        kept, held = holdout(numbers, 0.3, 0, "data.valid_fraction", "train", block=20)
        assert np.bincount(numbers[held]).tolist() == [60, 60]
        assert not set(kept // 20) & set(held // 20)
        assert held.tolist() != holdout(numbers, 0.3, 1, "data.valid_fraction", "train", block=20)[1].tolist()
    cut = stratified(np.zeros(100, dtype=int), 35, seed=0, block=10)
    assert sorted(np.bincount(cut // 10, minlength=10)) == [0] * 6 + [5, 10, 10, 10]


def test_a_label_of_one_review_stays():
    kept, held = split([0] * 10 + [1], 0.5)
    assert 10 in kept
    assert len(held) == 6


@settings(max_examples=100)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.data())
def test_a_choice_has_the_size_asked_for_and_every_label_it_can(labels, data):
    numbers = np.array(labels)
    count = data.draw(st.integers(0, len(numbers)))
    rows = stratified(numbers, count, seed=3)
    assert len(set(rows.tolist())) == count
    assert rows.tolist() == sorted(rows)
    present = len(np.unique(numbers))
    assert len(np.unique(numbers[rows])) == present if count >= present else len(rows) == count


def test_a_smaller_choice_is_part_of_a_larger_one():
    numbers = np.tile([0, 1], 50)
    assert set(stratified(numbers, 10, seed=0)) < set(stratified(numbers, 30, seed=0))


@pytest.mark.parametrize(
    ("numbers", "fraction", "message"),
    [
        (NUMBERS, 0.01, r"1 of 100 reviews are fewer than the 3 labels; expected at least 0\.03"),
        (NUMBERS, 0.99, "leaves fewer than 3 of the 100"),
        ([0, 1, 1], 0.5, "3 reviews of 2 labels are too few"),
    ],
)
def test_refuses_splits_without_reviews(numbers, fraction, message):
    with pytest.raises(SentexpError, match=message):
        split(numbers, fraction)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_refuses_what_is_no_fraction(fraction):
    with pytest.raises(ValueError, match=rf"valid_fraction={fraction}: expected a fraction between 0 and 1"):
        split(NUMBERS, fraction)
