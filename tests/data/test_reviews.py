from __future__ import annotations

import dataclasses
import doctest

import datasets
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.data import reviews as module
from sentexp.data.labels import LabelRules
from sentexp.data.raw_split import RawSplit
from sentexp.data.reviews import to_reviews
from sentexp.errors import SentexpError
from sentexp.text import corpus

GOOD = [f"good {i}" for i in range(10)]
BAD = [f"bad {i}" for i in range(10)]


def raw(texts, labels, name="reviews.csv"):
    table = pa.table({"text": pa.array(texts, pa.string()), "label": labels})
    return RawSplit(datasets.Dataset(table), name)


def finished(train=None, limit=None, seed=0, valid_fraction=0.2, test_fraction=None, **others):
    rules = {key: others.pop(key) for key in ("label_rules", "drop_duplicates", "labels") if key in others}
    train = raw(GOOD + BAD, ["pos"] * 10 + ["neg"] * 10) if train is None else train
    if not {"test", "valid"} & set(others) and not test_fraction:
        others["test"] = raw(["x", "y"], ["neg", "pos"], "test.csv")
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


def test_with_a_share_of_0_there_is_no_validation_split():
    reviews = finished(test=raw(["x", "y"], ["neg", "pos"]), valid_fraction=0.0)
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 20, "test": 2}


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
        ({"unlabelled": raw([" ", None], [0, 0])}, r"reviews\.csv: none of its 2 rows has a text"),
        ({"unlabelled": raw([], [])}, r"reviews\.csv: no rows"),
        ({"labels": 1}, r"data\.labels=1: expected null, or at least 2, the number of labels, and at most 16, the num"),
        ({"labels": 17}, r"data\.labels=17: expected null, or at least 2, .* at most 16, the number of training rev"),
        ({"labels": 9, "limit": 8}, r"data\.labels=9: .* at most 8, the number of training reviews"),
    ],
)
def test_refusals_name_the_place(changes, message):
    with pytest.raises(SentexpError, match=message) as refusal:
        finished(**changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid_fraction": -0.1}, r"data\.valid_fraction=-0\.1"),
        ({"test_fraction": 1.5}, r"data\.test_fraction=1\.5"),
        ({"valid_fraction": None}, "valid_fraction=None: expected a fraction, since there is no split valid"),
        ({"unsupervised": raw(["x"], [None])}, "splits train, unsupervised, test: expected train and"),
        ({"test": RawSplit(datasets.Dataset.from_dict({"text": ["x"]}), "t", None)}, "t: expected a column label"),
    ],
)
def test_wrong_arguments_of_a_caller(changes, message):
    with pytest.raises(ValueError, match=message):
        finished(**changes)


def test_the_example_of_the_documentation():
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


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


def texts_alone(texts, name="more.txt"):
    return RawSplit(datasets.Dataset(pa.table({"text": pa.array(texts, pa.large_string())})), name, label_column=None)


def test_unlabelled_texts_are_a_split_of_their_own_only_where_asked_for():
    assert list(finished().splits) == ["train", "valid", "test"]
    reviews = finished(unlabelled=texts_alone(["one", " ", "two", None, "three"]))
    assert list(reviews.splits) == ["train", "valid", "test", "unlabelled"]
    assert reviews.splits["unlabelled"]["text"][:] == ["one", "two", "three"]
    assert reviews.splits["unlabelled"]["label"][:] == [corpus.UNLABELLED] * 3
    assert reviews.skipped == {"more.txt: no text": 2}
    assert reviews.where("unlabelled", 2) == "more.txt, row 5"
    assert {**reviews.digests, "unlabelled": None} == {**finished().digests, "unlabelled": None}


def test_it_is_noticed_where_the_test_reviews_are_asked_for_as_unlabelled_texts():
    whole = raw(GOOD + BAD, ["pos"] * 10 + ["neg"] * 10, "whole.csv")
    test = raw(["x", "y"], ["neg", "pos"], "test.csv")
    assert not finished(test=test).test_as_unlabelled
    assert not finished(test=test, unlabelled=texts_alone(["new"])).test_as_unlabelled
    assert finished(test=test, unlabelled=texts_alone(["x", "y"], "test.csv")).test_as_unlabelled
    assert finished(whole, test_fraction=0.2, unlabelled=texts_alone(GOOD, "whole.csv")).test_as_unlabelled
    assert not finished(whole, test_fraction=0.2, labels=4).test_as_unlabelled


def test_the_labels_of_unlabelled_texts_are_not_looked_at():
    reviews = finished(unlabelled=raw(["one", "two"], [["a list"], None]))
    assert reviews.splits["unlabelled"]["label"][:] == [corpus.UNLABELLED] * 2
    assert finished(unlabelled=raw(["one", "two"], ["neg", "unheard"])).digests == reviews.digests


def test_a_limit_holds_for_unlabelled_texts_and_smaller_ones_are_part_of_larger_ones():
    given_texts = texts_alone([f"text {i}" for i in range(50)])
    kept = [set(finished(unlabelled=given_texts, limit=limit).splits["unlabelled"]["text"]) for limit in (4, 16, 60)]
    assert [len(texts) for texts in kept] == [4, 16, 50]
    assert kept[0] < kept[1] < kept[2]


def test_of_equal_texts_the_unlabelled_one_is_the_first_to_go():
    more = texts_alone(["new", "x ", "good 1", "new", "bad 0"])
    reviews = finished(unlabelled=more, drop_duplicates=True)
    assert reviews.splits["unlabelled"]["text"][:] == ["new"]
    assert reviews.dropped == {
        "more.txt: the same text as an earlier row": 1,
        "more.txt: the same text as in another split": 3,
    }
    assert reviews.digests["train"] == finished().digests["train"]


@settings(max_examples=40, deadline=None)
@given(labels=st.integers(2, 16), seed=st.integers(0, 5), more=st.integers(0, 3))
def test_labels_are_kept_for_few_training_reviews_and_nothing_else_changes(labels, seed, more):
    further = {"unlabelled": texts_alone([f"text {i}" for i in range(more)])} if more else {}
    whole, few = finished(seed=seed, **further), finished(seed=seed, labels=labels, **further)
    assert {split: few.digests[split] for split in ("valid", "test")} == {
        split: whole.digests[split] for split in ("valid", "test")
    }
    rows = list(few.splits["train"])
    assert len(rows) == labels
    assert abs(sum(row["label"] for row in rows) - labels / 2) < 1
    assert all(row in list(whole.splits["train"]) for row in rows)
    handed_over = few.splits["unlabelled"]["text"][:] if "unlabelled" in few.splits else []
    assert handed_over[:more] == [f"text {i}" for i in range(more)]
    assert sorted([*handed_over[more:], *(row["text"] for row in rows)]) == sorted(whole.splits["train"]["text"])
    for row, text in enumerate(handed_over[more:], more):
        assert few.splits["unlabelled"][row]["label"] == corpus.UNLABELLED
        assert few.where("unlabelled", row) == f"reviews.csv, row {(GOOD + BAD).index(text) + 1}"


def test_fewer_labels_with_the_same_seed_are_part_of_more():
    kept = [set(finished(labels=labels).splits["train"]["text"]) for labels in (2, 6, 12)]
    assert kept[0] < kept[1] < kept[2]


def test_texts_that_are_held_out_are_not_among_the_unlabelled_ones():
    held_out = {
        "valid": raw(["seen in validation", "bad"], ["pos", "neg"]),
        "test": raw(["in test", "x"], ["pos", "neg"]),
    }
    reviews = finished(**held_out, unlabelled=texts_alone(["one", " in test ", "seen in validation", "two"]))
    assert reviews.splits["unlabelled"]["text"][:] == ["one", "two"]
    assert reviews.dropped == {"more.txt: without its label, a text of the validation or test split": 2}
    assert reviews.where("unlabelled", 1) == "more.txt, row 4"
    with pytest.raises(SentexpError, match=r"more\.txt: all texts without labels are also in the validation or test"):
        finished(**held_out, unlabelled=texts_alone(["in test"]))


def test_training_reviews_whose_labels_are_not_kept_are_left_out_if_they_are_held_out_as_well():
    texts = ["again", *(f"good {i}" for i in range(9)), *(f"bad {i}" for i in range(10))]
    test = raw(["again", "other"], ["pos", "neg"])
    reviews = finished(raw(texts, ["pos"] * 10 + ["neg"] * 10), test=test, labels=2)
    assert not {"again"} & set(reviews.splits["unlabelled"]["text"])
