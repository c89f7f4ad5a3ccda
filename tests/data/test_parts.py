from __future__ import annotations

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.data.duplicates import chosen_chunks
from sentexp.data.parts import Part, digest, digest_of, place_of, table_of
from sentexp.data.raw_split import RawSplit


def part(texts, rows, name="a", kind=None):
    table = datasets.Dataset(pa.table({"text": pa.array(texts, kind or pa.string())}))
    return Part(RawSplit(table, name, label_column=None), np.arange(len(texts)), np.array(rows, dtype=np.int64))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(st.text(max_size=3), min_size=1, max_size=6), st.booleans()), min_size=1), st.data())
def test_parts_are_one_split_after_the_other(drawn, data):
    parts, expected = [], []
    for number, (texts, large) in enumerate(drawn):
        rows = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1), min_size=1)))
        parts.append(part(texts, rows, f"part {number}", pa.large_string() if large else pa.string()))
        expected += [(texts[row], row, f"part {number}, row {row + 1}") for row in rows]
    table = table_of(parts)
    assert [(row["text"], row["label"]) for row in table] == [(text, label) for text, label, _ in expected]
    assert [place_of(parts, row) for row in range(len(table))] == [place for _, _, place in expected]
    texts, numbers, _ = zip(*expected, strict=True)
    assert digest_of(parts) == digest([pa.array(texts)], np.array(numbers))
    with pytest.raises(IndexError):
        place_of(parts, len(table))


def test_rows_are_chosen_among_the_chosen():
    assert part("abcdef", [1, 3, 5]).chosen(np.array([0, 2])).table()["text"][:] == ["b", "f"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=20), st.data())
def test_a_digest_depends_on_content_alone(texts, data):
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(texts) - 1)))) if texts else [], dtype=np.int64)
    numbers = np.arange(len(texts))
    cut = data.draw(st.integers(0, len(texts)))
    whole = pa.chunked_array([pa.array(["before", *texts, "after"]).slice(1, len(texts))])
    parts = pa.chunked_array([texts[:cut], texts[cut:]], pa.large_string())
    chosen = pa.chunked_array([[texts[row] for row in rows]], pa.string())
    expected = digest(chosen.chunks, rows)
    assert digest(chosen_chunks(whole, rows), numbers[rows]) == expected
    assert digest(chosen_chunks(parts, rows), numbers[rows]) == expected


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
        return digest([pa.array(texts)], np.array(numbers))

    assert of(texts, numbers) != of(["a", "bc"], [0, 1])
