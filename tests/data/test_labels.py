from __future__ import annotations

import datasets
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.data.labels import encode_labels, name_of, sort_names
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
        ([1.0, 0.5], r"file, row 2: label 0\.5: expected a whole number or a word \(data\.label_column=label\)"),
        ([[1], [2]], r"data\.label_column=label: expected strings, integers or booleans, found list"),
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
