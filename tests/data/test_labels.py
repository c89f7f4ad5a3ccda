from __future__ import annotations

import datasets
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.data.labels import LabelRules, encode_labels, name_of, sort_names
from sentexp.errors import SentexpError


def where(row):
    return f"file, row {row + 1}"


def names_in(values, **columns):
    column = encode_labels(datasets.Dataset(pa.table({"label": values, **columns})), "label", where)
    return [column.names[code] if code >= 0 else None for code in column.codes]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, 0, None, 1], ["1", "0", None, "1"]),
        ([True, False, None], ["true", "false", None]),
        ([1.0, 2.0, float("nan"), None], ["1", "2", None, None]),
        ([-1.0, 0.5, 1e3], ["-1", "0.5", "1000"]),
        (pa.array([0.1, 2.0], pa.float32()), ["0.1", "2"]),
        (["-1.0", "+1", "1", "2.50", "1e3", "-0.0", "7.", ".5"], ["-1", "1", "1", "2.5", "1000", "0", "7", "0.5"]),
        (["007", "1.0.0", "-", ".", "e3", "1_0", "v1.0"], ["007", "1.0.0", "-", ".", "e3", "1_0", "v1.0"]),
        (["neg", " neg ", "", "  ", None, "very  good"], ["neg", "neg", None, None, None, "very good"]),
        ([None, None], [None, None]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", None]),
        (pa.chunked_array([["a"], ["b", "a"], []]), ["a", "b", "a"]),
    ],
)
def test_names_of_labels(values, names):
    assert names_in(values) == names


def test_class_names_of_the_data_keep_their_order_and_minus_one_is_no_label():
    rows = datasets.Dataset.from_dict(
        {"label": [1, -1, 0, None]}, features=datasets.Features({"label": datasets.ClassLabel(names=["pos", "neg"])})
    )
    column = encode_labels(rows, "label", where)
    assert column.names == ["pos", "neg"]
    assert column.codes.tolist() == [1, -1, 0, -1]
    assert column.in_order


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, float("inf")], r"file, row 2: label inf: expected a number or a word \(data\.label_column=label\)"),
        (
            [[1], [2]],
            r"data\.label_column=label: a review has one label here, not several; expected strings, numbers or "
            r"booleans, found list",
        ),
    ],
)
def test_refuses_what_is_no_label(values, message):
    with pytest.raises(SentexpError, match=message):
        names_in(values)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["pos", "neg"], ["neg", "pos"]),
        (["10", "9", "-1", "a"], ["-1", "9", "10", "a"]),
        (["1.5", "10", "-0.5", "2"], ["-0.5", "1.5", "2", "10"]),
        (["r10", "r2", "R1"], ["R1", "r2", "r10"]),
        (["b1c", "b", "1b"], ["1b", "b", "b1c"]),
    ],
)
def test_natural_order(names, order):
    assert sort_names(names) == order


@settings(max_examples=100)
@given(st.lists(st.text(max_size=8), unique=True))
def test_order_does_not_depend_on_where_names_come_from(names):
    assert sort_names(names) == sort_names(names[::-1])


@settings(max_examples=100)
@given(st.text(max_size=20))
def test_a_name_is_one_line_or_nothing(text):
    name = name_of(text)
    assert name is None or (len(name.splitlines()) == 1 and name_of(name) == name)


def encoded(values):
    return encode_labels(datasets.Dataset(pa.table({"label": values})), "label", where)


def ruled(rules, **splits):
    columns = {split: encoded(values) for split, values in splits.items()}
    renamed, dropped, notes = rules.apply(columns, lambda split, row: f"{split} row {row}")
    names = {
        split: [column.names[code] if code >= 0 else None for code in column.codes] for split, column in renamed.items()
    }
    return names, dropped, notes


STARS = {1: "neg", 2: "neg", 3: None, 4: "pos", "5.0": "pos"}


def test_a_map_renames_and_drops_labels():
    names, dropped, notes = ruled(LabelRules(map=STARS), train=[1, 2, 3, 4, None, 3, 5], test=["5", "1.0"])
    assert names == {"train": ["neg", "neg", None, "pos", None, None, "pos"], "test": ["pos", "neg"]}
    assert dropped["train"] == {"label 3 (data.label_map)": 2}
    assert notes == []


def test_mapped_labels_keep_the_order_of_the_map():
    columns, _, _ = LabelRules(map={2: "worse", 1: "better"}).apply({"train": encoded([1, 2])}, lambda *_: "")
    assert columns["train"].names == ["worse", "better"]
    assert columns["train"].in_order


def test_a_label_that_the_map_lacks_is_refused_and_one_that_no_review_has_is_said():
    with pytest.raises(SentexpError, match=r"train row 1: label '6' is not in data\.label_map; null would drop it"):
        ruled(LabelRules(map=STARS), train=[1, 6])
    _, _, notes = ruled(LabelRules(map=STARS), train=[1, 2, 4, 5])
    assert notes == ["data.label_map: no review has the label 3"]


def test_a_map_holds_in_any_case_if_case_is_ignored():
    splits = {"train": ["NEG", "NEG", "pos"], "test": ["neg", "Pos"]}
    rules = LabelRules(map={"neg": "bad", "Pos": "good"}, ignore_case=True)
    names, _, notes = ruled(rules, **splits)
    assert names == {"train": ["bad", "bad", "good"], "test": ["bad", "good"]}
    assert notes == []


@pytest.mark.parametrize("rules", [LabelRules(map={"1": "one", "2": "two"}), LabelRules(cuts=[1.5])])
def test_names_that_the_data_declares_but_no_row_has_need_no_rule(rules):
    rows = datasets.Dataset.from_dict(
        {"label": [0, 1]}, features=datasets.Features({"label": datasets.ClassLabel(names=["1", "2", "unknown"])})
    )
    columns, _, _ = rules.apply({"train": encode_labels(rows, "label", where)}, lambda *_: "")
    assert columns["train"].codes.tolist() == [0, 1]


def test_scores_are_cut_into_classes_in_their_order():
    rules = LabelRules(cuts=[2.5, 4.0])
    columns, _, _ = rules.apply({"train": encoded([1.0, 2.5, 3.9, 4.0, 11.0, None])}, lambda *_: "")
    assert columns["train"].names == ["below 2.5", "2.5 to 4", "from 4"]
    assert columns["train"].codes.tolist() == [0, 1, 1, 2, 2, -1]
    with pytest.raises(SentexpError, match="train row 1: label 'good': expected a number"):
        ruled(rules, train=["1", "good"])


def test_labels_that_differ_in_case_are_said_or_united():
    splits = {"train": ["neg", "NEG", "neg", "pos"], "test": ["Neg"]}
    names, _, notes = ruled(LabelRules(), **splits)
    assert names == splits
    assert notes == [
        "labels that differ only in case: neg (2) and NEG (1) and Neg (1); data.ignore_label_case=true makes them one"
    ]
    names, _, notes = ruled(LabelRules(ignore_case=True), **splits)
    assert names == {"train": ["neg", "neg", "neg", "pos"], "test": ["neg"]}
    assert notes == []


@settings(max_examples=100)
@given(st.decimals(-1000, 1000, places=2))
def test_a_number_has_one_name_in_every_form(number):
    forms = {name_of(str(number)), name_of(float(number)), name_of(f"{number}00"), name_of(f" {number} ")}
    if number == int(number):
        forms.add(name_of(int(number)))
    assert len(forms) == 1
