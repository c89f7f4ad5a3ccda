from __future__ import annotations

import dataclasses
import doctest

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.data import reviews as module
from sentexp.data.labels import LabelRules
from sentexp.data.reviews import RawSplit, digest, take_columns, to_reviews
from sentexp.errors import SentexpError

GOOD = [f"good {i}" for i in range(10)]
BAD = [f"bad {i}" for i in range(10)]


def raw(texts, labels, name="reviews.csv"):
    table = pa.table({"text": pa.array(texts, pa.string()), "label": labels})
    return RawSplit(datasets.Dataset(table), name)


def finished(train=None, limit=None, seed=0, valid_fraction=0.2, test_fraction=None, **others):
    rules = {key: others.pop(key) for key in ("label_rules", "drop_duplicates") if key in others}
    train = raw(GOOD + BAD, ["pos"] * 10 + ["neg"] * 10) if train is None else train
    others = others if others or test_fraction else {"test": raw(["x", "y"], ["neg", "pos"], "test.csv")}
    return to_reviews(
        {"train": train, **others},
        source="here",
        valid_fraction=valid_fraction,
        test_fraction=test_fraction,
        limit=limit,
        seed=seed,
        **rules,
    )


def test_three_splits_of_text_and_label_number():
    reviews = finished()
    assert reviews.labels == ["neg", "pos"]
    assert list(reviews.splits) == ["train", "valid", "test"]
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 16, "valid": 4, "test": 2}
    for rows in reviews.splits.values():
        assert rows.features == {"text": datasets.Value("string"), "label": datasets.Value("int64")}
    for row in [*reviews.splits["train"], *reviews.splits["valid"]]:
        assert row["label"] == row["text"].startswith("good")
    assert sorted(reviews.splits["valid"]["label"]) == [0, 0, 1, 1]
    assert list(reviews.splits["test"]) == [{"text": "x", "label": 0}, {"text": "y", "label": 1}]


def test_a_row_is_found_again_in_its_source():
    reviews = finished()
    assert reviews.where("test", 1) == "test.csv, row 2"
    assert dataclasses.replace(reviews, places={}).where("train", 0) == "train, row 1"


def test_train_valid_and_test_share_no_row():
    reviews = finished(test_fraction=0.2)
    texts = [set(rows["text"]) for rows in reviews.splits.values()]
    assert [len(split) for split in texts] == [13, 3, 4]
    assert set.union(*texts) == set(GOOD + BAD)


def test_a_validation_split_of_the_data_is_used():
    valid = raw(["v", "w"], ["neg", "pos"])
    reviews = finished(valid=valid, test=raw(["x", "y"], ["neg", "pos"]), valid_fraction=0.0)
    assert reviews.splits["valid"]["text"][:] == ["v", "w"]
    assert len(reviews.splits["train"]) == 20


def test_rows_without_text_or_label_are_counted():
    texts = ["", " \t\n", "\u00a0", None, "kept", *GOOD, *BAD]
    labels = ["pos", "pos", "pos", "pos", None, *["pos"] * 10, *["neg"] * 10]
    reviews = finished(raw(texts, labels))
    assert reviews.skipped == {"reviews.csv: no text": 4, "reviews.csv: no label": 1}
    assert len(reviews.splits["train"]) + len(reviews.splits["valid"]) == 20


def test_a_plain_minus_one_is_a_class_where_training_has_it():
    train = raw(GOOD + BAD, [1] * 10 + [-1] * 10)
    assert finished(train, test=raw(["x", "y"], [1, -1])).labels == ["-1", "1"]


def test_a_plain_minus_one_is_no_label_where_training_has_not():
    reviews = finished(raw(GOOD + BAD, [1] * 10 + [0] * 10), test=raw(["x", "y", "z"], [1, -1, 0], "test"))
    assert reviews.skipped == {"test: no label": 1}
    assert reviews.splits["test"]["label"][:] == [1, 0]


def test_labels_are_those_of_training_in_the_order_of_the_data():
    classes = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["z", "y", "x"])})
    rows = {"text": GOOD + BAD, "label": [2] * 10 + [0] * 10}
    train = RawSplit(datasets.Dataset.from_dict(rows, features=classes), "train")
    reviews = finished(train, test=raw(["a", "b"], ["x", "z"]))
    assert reviews.labels == ["z", "x"]
    assert reviews.splits["test"]["label"][:] == [1, 0]


def test_limit_is_stratified_and_seeded():
    few = finished(limit=4)
    assert {split: sorted(rows["label"]) for split, rows in few.splits.items()} == {
        "train": [0, 0, 1, 1],
        "valid": [0, 0, 1, 1],
        "test": [0, 1],
    }
    assert finished(limit=4).digests == few.digests
    assert finished(limit=4, seed=1).digests["train"] != few.digests["train"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": raw([], [])}, r"reviews\.csv: no rows"),
        ({"train": raw(["a", "b"], [None, None])}, "none of its 2 rows has both"),
        ({"train": raw(["a", "b"], ["pos", "pos"])}, "every review has the label 'pos'"),
        ({"test": raw(["x"], ["pos"], "t.csv")}, r"t\.csv: 1 reviews for test are fewer than the 2 labels"),
        ({"test": raw(["x", "y"], ["pos", "negg"], "t.csv")}, r"t\.csv, row 2: label 'negg' .* did you mean neg\?"),
        ({"limit": 1}, r"data\.limit=1: expected null or at least 2"),
        ({"valid_fraction": 0.01}, r"data\.valid_fraction=0\.01: 0 of 20 reviews"),
    ],
)
def test_refusals_name_the_place(changes, message):
    with pytest.raises(SentexpError, match=message) as refusal:
        finished(**changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid_fraction": 0.0}, r"data\.valid_fraction=0\.0"),
        ({"test_fraction": 1.5}, r"data\.test_fraction=1\.5"),
        ({"valid_fraction": None}, "valid_fraction=None: expected a fraction, since there is no split valid"),
        ({"unsupervised": raw(["x"], [None])}, "splits train, unsupervised: expected train and"),
    ],
)
def test_wrong_arguments_of_a_caller(changes, message):
    with pytest.raises(ValueError, match=message):
        finished(**changes)


@pytest.mark.parametrize("columns", [{"text": ["a"]}, {"label": [1]}, {"text": [1], "label": [1]}])
def test_a_raw_split_has_texts_and_labels(columns):
    with pytest.raises(ValueError, match=r"mine: expected columns text \(strings\) and label, found \{"):
        RawSplit(datasets.Dataset.from_dict(columns), "mine")


def test_the_example_of_the_documentation():
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("txt", "label", r"data\.text_column=txt: no such column in f; .* text, label, stars; did you mean text\?"),
        ("text", "labels", r"data\.label_column=labels: .* did you mean label\?"),
        ("stars", "label", r"data\.text_column=stars: expected text, found int64 in f; columns of text: text, label"),
        ("text", "text", "expected another column"),
    ],
)
def test_refuses_wrong_columns(text, label, message):
    rows = datasets.Dataset.from_dict({"text": ["a"], "label": ["b"], "stars": [3]})
    with pytest.raises(SentexpError, match=message):
        take_columns(rows, "f", [text], label)


def test_the_label_column_may_be_called_text():
    rows = datasets.Dataset.from_dict({"review": ["a"], "text": ["b"]})
    assert take_columns(rows, "f", ["review"], "text").rows[0] == {"text": "a", "label": "b"}


def test_columns_are_joined_and_found_inside_others():
    rows = datasets.Dataset.from_list([{"title": "Well", "review": {"text": "done"}, "label": 1}])
    assert take_columns(rows, "f", ["title", "review.text"], "label").rows[0] == {"text": "Well done", "label": 1}


def test_numbers_as_labels_are_ordered_by_value_whatever_wrote_them():
    train = raw(GOOD + BAD, ["1.0"] * 10 + ["-1.0"] * 10)
    reviews = finished(train, test=raw(["x", "y"], [1, -1]))
    assert reviews.labels == ["-1", "1"]
    assert reviews.splits["test"]["label"][:] == [1, 0]


def test_many_scores_are_no_labels():
    train = raw([f"text {i}" for i in range(300)], [i / 2 for i in range(30)] * 10)
    with pytest.raises(SentexpError, match=r"30 different numbers as labels .* data\.label_cuts=\[\.\.\.\]"):
        finished(train, test=train)
    assert finished(train, test=train, label_rules=LabelRules(cuts=[5.0])).labels == ["below 5", "from 5"]


def test_ids_are_no_labels():
    train = raw([f"text {i}" for i in range(60)], [f"user {i // 2}" for i in range(59)] + ["user 30"])
    with pytest.raises(SentexpError, match=r"31 labels for 60 reviews \(data\.label_column=label\); .* column of ids"):
        finished(train, test_fraction=0.2)


def test_what_a_map_drops_is_counted():
    train = raw([*GOOD, *BAD, "so so"], [5] * 10 + [1] * 10 + [3])
    rules = LabelRules(map={1: "neg", 3: None, 5: "pos"})
    reviews = finished(train, test=raw(["x", "y"], [1, 5]), label_rules=rules)
    assert reviews.labels == ["neg", "pos"]
    assert reviews.dropped == {"reviews.csv: label 3 (data.label_map)": 1}
    assert reviews.skipped == {}


REPEATED = {"train": raw([*GOOD, *BAD, "good 0", "bad 1 "], ["pos"] * 10 + ["neg"] * 10 + ["neg", "neg"])}
SEEN = raw(["good 1", "bad 2", "new"], ["pos", "neg", "pos"], "test.csv")


def test_classes_that_are_declared_and_empty_are_told():
    assert finished().notes == []
    rules = LabelRules(cuts=[2.5, 3.5])
    reviews = finished(raw([*GOOD, *BAD], [5] * 10 + [1] * 10), test=raw(["x", "y"], [1, 5]), label_rules=rules)
    assert reviews.labels == ["below 2.5", "from 3.5"]
    assert reviews.notes == ["no training review has the label 2.5 to 3.5; the model is built without a class for it"]
    names = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    table = datasets.Dataset.from_dict({"text": [*GOOD, *BAD], "label": [0] * 10 + [2] * 10}, features=names)
    (note,) = finished(RawSplit(table, "declared"), test_fraction=0.2).notes
    assert note.startswith("no training review has the label b;")


def test_one_of_equal_texts_is_kept_rather_in_the_test():
    reviews = finished(REPEATED["train"], valid=raw(["v", "w"], ["neg", "pos"]), test=SEEN, drop_duplicates=True)
    assert sorted(reviews.splits["train"]["text"]) == sorted({*GOOD, *BAD} - {"good 1", "bad 2"})
    assert len(reviews.splits["test"]) == 3
    assert reviews.skipped == {}
    assert reviews.dropped == {
        "reviews.csv: the same text as an earlier row": 2,
        "reviews.csv: the same text as in a split that is not for training": 2,
    }


def test_a_test_that_is_a_copy_of_the_training_leaves_nothing_to_train_on():
    train = raw(GOOD + BAD, ["pos"] * 10 + ["neg"] * 10)
    with pytest.raises(SentexpError, match=r"reviews\.csv: no review is left; data\.drop_duplicates=true took all"):
        finished(train, test=raw(GOOD + BAD, ["pos"] * 10 + ["neg"] * 10, "test.csv"), drop_duplicates=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=20), st.data())
def test_a_digest_depends_on_content_alone(texts, data):
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(texts) - 1)))) if texts else [], dtype=np.int64)
    numbers = np.arange(len(texts))
    cut = data.draw(st.integers(0, len(texts)))
    whole = pa.chunked_array([pa.array(["before", *texts, "after"]).slice(1, len(texts))])
    parts = pa.chunked_array([texts[:cut], texts[cut:]], pa.large_string())
    chosen = pa.chunked_array([[texts[row] for row in rows]], pa.string())
    expected = digest(chosen, rows, np.arange(len(rows)))
    assert digest(whole, numbers, rows) == digest(parts, numbers, rows) == expected


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["ab", "c"], [0, 1]),
        (["a", "b", "c"], [0, 1, 1]),
        (["a", "bc"], [1, 1]),
        (["bc", "a"], [0, 1]),
        (["a", "bd"], [0, 1]),
    ],
)
def test_other_content_has_another_digest(texts, numbers):
    def of(texts, numbers):
        return digest(pa.chunked_array([texts]), np.array(numbers), np.arange(len(texts)))

    assert of(texts, numbers) != of(["a", "bc"], [0, 1])
