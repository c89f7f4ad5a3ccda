from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentexp.data.tables import PARSERS
from sentexp.errors import SentexpError


def rows(path, kind, encoding="utf-8", text="text", label="label"):
    batches = list(PARSERS[kind](path, text, label, encoding))
    return [tuple(row.values()) for row in pa.Table.from_batches(batches).to_pylist()] if batches else []


@pytest.fixture
def write(tmp_path):
    def write(content, name="reviews"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_csv_knows_the_line_at_which_a_row_begins(write):
    path = write('id,text,label\r\n1,"two\r\nlines, ""quoted""",pos\r\n\r\n2,one, neg \r\n')
    assert rows(path, "csv") == [('two\r\nlines, "quoted"', "pos", 2), ("one", "neg", 5)]


def test_a_byte_order_mark_is_no_part_of_the_header(write):
    assert rows(write(b"\xef\xbb\xbftext,label\na,b\n"), "csv") == [("a", "b", 2)]


def test_tsv_is_separated_by_tabs(write):
    assert rows(write("label\ttext\npos\ta, b\n"), "tsv") == [("a, b", "pos", 2)]


def test_encodings(write):
    assert rows(write("text,label\ncafé,b\n".encode("latin-1")), "csv", "latin-1") == [("café", "b", 2)]
    assert rows(write("text,label\ncafé,b\n".encode("utf-16")), "csv", "utf-16") == [("café", "b", 2)]


def test_fields_may_be_longer_than_the_csv_module_expects(write):
    long = "x" * 200_000
    assert rows(write(f"text,label\n{long},b\n"), "csv")[0][0] == long


def test_json_lines_take_labels_of_any_kind(write):
    values = ["pos", 1, 2.0, True, None]
    lines = [json.dumps({"text": "a", "label": value}) for value in values] + ["", '{"text": null}', '{"label": "x"}']
    read = rows(write("\n".join(lines)), "jsonl")
    assert [label for _, label, _ in read] == ["pos", "1", "2", "true", None, None, "x"]
    assert [line for *_, line in read] == [1, 2, 3, 4, 5, 7, 8]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("csv", "", "no rows, not even a header"),
        ("csv", "txt,label\na,b\n", r"data\.text_column=text: no such column in .*; its columns: txt, label; did you"),
        ("csv", "text,label\na,b\na,b,c\n", ":3: 3 fields where the header has 2"),
        ("csv", 'text,label\n"a\nb",c\nd\n', ":4: 1 fields where the header has 2"),
        ("csv", 'text,label\nx,y\n"a,b\nc,d\n', ":3: unexpected end of data"),
        ("csv", 'text,label\n"a"b,c\n', ":2: .*expected after"),
        ("csv", b"text,label\na,b\n\xff,c\n", r":3: byte 0xff is not utf-8; expected data\.encoding=NAME"),
        ("csv", b"text,label\n" + b"aaaa,b\n" * 30_000 + b"\xe9t\xe9,c\n", r":30002: byte 0xe9"),
        ("jsonl", '{"text": "a"', ":1: not JSON"),
        ("jsonl", '{"text": "a", "label": 1}\n[1]\n', ":2: expected one JSON object per line, found an array"),
        ("jsonl", '{"text": 3, "label": 1}', ":1: data.text_column=text: expected text, found a number"),
        ("jsonl", '{"text": "a", "label": 1}\n{"text": "a", "label": 0.5}', r":2: label 0\.5: expected a whole"),
        ("jsonl", '{"text": "a", "label": {}}', ":1: label {}: expected a word"),
        ("jsonl", '{"text": "a", "labels": 1}', r"data\.label_column=label: no such .* did you mean labels\?"),
        ("jsonl", '{"text": "a", "label": 1}\n{"text": "\\ud800", "label": 1}', ":2: holds half of a surrogate pair"),
        ("jsonl", b'{"text": "\xff", "label": 1}', ":1: byte 0xff"),
        ("parquet", "no parquet", "not a parquet file"),
    ],
)
def test_complaints_name_file_and_line(write, kind, content, message):
    path = write(content)
    with pytest.raises(SentexpError, match=message) as refusal:
        rows(path, kind)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_unknown_encoding_is_refused(write):
    with pytest.raises(SentexpError, match=r"data\.encoding=utf-9: no such encoding"):
        rows(write("text,label\n"), "csv", encoding="utf-9")


def test_parquet_gives_the_two_columns_in_their_types(write, tmp_path):
    table = pa.table({"stars": [5, 1], "id": [1, 2], "text": pa.array(["a", "b"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "t.parquet")
    assert rows(tmp_path / "t.parquet", "parquet", label="stars") == [("a", 5), ("b", 1)]


def test_parquet_with_bytes_that_are_no_text_is_refused(tmp_path):
    bad = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"], pa.binary()).buffers())
    pq.write_table(pa.table({"text": bad, "label": [0, 1]}), tmp_path / "t.parquet")
    with pytest.raises(SentexpError, match=r"t\.parquet, row 2: byte 0xff is not utf-8"):
        rows(tmp_path / "t.parquet", "parquet")


def test_parquet_wants_text_in_the_text_column(tmp_path):
    pq.write_table(pa.table({"review": ["a"], "text": [1], "label": [0]}), tmp_path / "t.parquet")
    with pytest.raises(SentexpError, match=r"expected text, found int64 in .*; columns of text: review"):
        rows(tmp_path / "t.parquet", "parquet")


def test_a_parquet_file_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a"] * 100, "label": [0] * 100}), path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(SentexpError, match=r"t\.parquet: not a parquet file"):
        rows(path, "parquet")


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(FIELD, st.sampled_from(["pos", "neg"])), max_size=6), st.sampled_from(["csv", "tsv", "jsonl"])
)
def test_what_was_written_is_read(tmp_path, content, kind):
    buffer = io.StringIO()
    if kind == "jsonl":
        buffer.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in content)
    else:
        writer = csv.writer(buffer, dialect="excel" if kind == "csv" else "excel-tab")
        writer.writerows([("text", "label"), *content])
    path = tmp_path / f"t.{kind}"
    path.write_bytes(buffer.getvalue().encode())
    assert [row[:2] for row in rows(path, kind)] == content
