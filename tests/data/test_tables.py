from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import re
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentexp.data.columns import Columns, text_columns
from sentexp.data.opened import ending_of
from sentexp.data.tables import PARSERS, read_txt
from sentexp.errors import SentexpError


def rows(path, kind, encoding="utf-8", text="text", label="label", **written):
    columns = Columns(text_columns(text), label, encoding, **written)
    batches = list(PARSERS[kind](path, columns))
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


def test_a_text_file_has_one_text_per_line(write):
    batches = read_txt(write("\ufeffone, two\r\n\r\n \nlabel\tthree"), Columns(label=None))
    assert [tuple(row.values()) for row in pa.Table.from_batches(batches).to_pylist()] == [
        ("one, two", None, 1), ("", None, 2), (" ", None, 3), ("label\tthree", None, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("csv", "text\na\nb\n"),
        ("tsv", "label\ttext\n\ta\nx\tb\n"),
        ("jsonl", '{"text": "a"}\n{"text": "b", "label": []}'),
    ],
)
def test_a_table_of_unlabelled_texts_needs_no_label(write, kind, content):
    assert [row[:2] for row in rows(write(content), kind, label=None)] == [("a", None), ("b", None)]


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
        ("jsonl", '{"text": "a", "label": 1}\n{"text": "a", "label": Infinity}', r":2: label inf: expected a number"),
        ("jsonl", '{"text": "a", "label": [1, 2]}', ":1: a review has one label here, not several; label"),
        ("json", '[{"text": "a", "label": 1},\n {"text": "b" "label": 1}]', ":2: not JSON"),
        ("json", '[{"text": "a", "label": 1}\n {"text": "b", "label": 1}]', ":2: not JSON; expected a comma"),
        ("json", '[\n{"text": "a", "label": 1}]\n[1]', ":2: more stands after the array"),
        ("json", '[{"text": "a", "label": 1},\n 3]', ":2: expected one JSON object per line, found a number"),
        ("json", '{\n"text": "a"', ":1: not JSON .*; expected one JSON object per line, or an array of them"),
        ("tsv", 'text\tlabel\n"a\tpos\nb"\tneg\nc\n', ":2: a field in quotation marks that runs over several lines"),
        ("csv", 'text,label\n"a"b,c\n', r"data\.quoting=none"),
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


def test_a_parquet_file_with_a_column_whose_name_is_no_text_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": [0], "stårs": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace("stårs".encode(), b"st\xffars"))
    with pytest.raises(SentexpError, match=r"t\.parquet: not a parquet file that can be read"):
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
    assert [row[:2] for row in rows(path, kind, quoting="standard")] == content


ROWS = [("a, b; c | d", "pos", 2), ("e", "neg", 3)]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("name", ["auto", None])
def test_the_delimiter_is_found_or_given(write, delimiter, name):
    names = {";": "semicolon", "\t": "tab", "|": "bar"}
    path = write(f'text{delimiter}label\n"a, b; c | d"{delimiter}pos\ne{delimiter}neg\n')
    assert rows(path, "csv", delimiter=name or names[delimiter]) == ROWS


def test_any_character_may_separate(write):
    assert rows(write("text^label\na, b^pos\n"), "csv", delimiter="^") == [("a, b", "pos", 2)]


TSV_WITH_PLAIN_QUOTES = 'text\tlabel\n"Great" film\tpos\n"so good\tpos\nno "end\tneg\nbad"\tneg\n'


def test_quotation_marks_of_a_tsv_are_plain_where_it_makes_sense_only_so(write):
    expected = [('"Great" film', "pos", 2), ('"so good', "pos", 3), ('no "end', "neg", 4), ('bad"', "neg", 5)]
    assert rows(write(TSV_WITH_PLAIN_QUOTES), "tsv") == expected
    assert rows(write(TSV_WITH_PLAIN_QUOTES), "tsv", quoting="none") == expected
    with pytest.raises(SentexpError, match=r"data\.quoting=none takes quotation marks as plain characters"):
        rows(write(TSV_WITH_PLAIN_QUOTES), "tsv", quoting="standard")


def test_rows_between_two_quotation_marks_are_not_swallowed(write):
    path = write('text\tlabel\n"one\tpos\ntwo\tneg\nthree"\tpos\n')
    assert [row[0] for row in rows(path, "tsv")] == ['"one', "two", 'three"']
    assert [row[0] for row in rows(path, "tsv", quoting="standard")] == ["one\tpos\ntwo\tneg\nthree"]


def test_a_tsv_with_standard_quoting_is_read_so(write):
    assert rows(write('text\tlabel\n"say ""so"""\tpos\n'), "tsv") == [('say "so"', "pos", 2)]


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_without_a_header_columns_are_numbers(write, kind):
    separator = "," if kind == "csv" else "\t"
    path = write(f"9{separator}good{separator}pos\n8{separator}bad{separator}neg\n")
    assert rows(path, kind, header=False, text="2", label="3") == [("good", "pos", 1), ("bad", "neg", 2)]
    with pytest.raises(SentexpError, match=r"its columns: 9, good, pos; data\.header=false where the first row is"):
        rows(path, kind)
    with pytest.raises(SentexpError, match=r"data\.text_column=4: no such column in .*; its columns: 1, 2, 3"):
        rows(path, kind, header=False, text="4", label="3")


def test_several_text_columns_are_joined(write, tmp_path):
    content = {"title": ["Well", None, ""], "text": ["done", "Oh", None], "label": ["pos", "neg", "pos"]}
    expected = [("Well done", "pos"), ("Oh", "neg"), ("", "pos")]
    pq.write_table(pa.table(content), tmp_path / "t.parquet")
    assert rows(tmp_path / "t.parquet", "parquet", text=["title", "text"]) == expected
    path = write("title,text,label\nWell,done,pos\n,Oh,neg\n,,pos\n")
    assert [row[:2] for row in rows(path, "csv", text=["title", "text"])] == expected
    lines = [json.dumps(row) for row in pa.table(content).to_pylist()]
    assert [row[:2] for row in rows(write("\n".join(lines)), "jsonl", text=["title", "text"])] == expected


def test_a_field_inside_a_column_is_named_with_a_dot(write, tmp_path):
    content = [
        {"review": {"text": "good", "by": {"id": 1}}, "stars": {"n": 5}},
        {"review": {"text": "bad"}, "stars": {"n": 1}},
    ]
    path = write("\n".join(map(json.dumps, content)))
    assert [row[:2] for row in rows(path, "jsonl", text="review.text", label="stars.n")] == [
        ("good", "5"),
        ("bad", "1"),
    ]
    pq.write_table(pa.Table.from_pylist(content), tmp_path / "t.parquet")
    assert rows(tmp_path / "t.parquet", "parquet", text="review.text", label="stars.n") == [("good", 5), ("bad", 1)]
    with pytest.raises(SentexpError, match=r"its columns: review\.text, .*did you mean review\.text"):
        rows(tmp_path / "t.parquet", "parquet", text="review.txt", label="stars.n")


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_is_read_with_the_line_of_each_object(write, indent):
    content = [{"text": "good", "label": 1.0}, {"text": "b\n[]", "label": 0}]
    path = write(json.dumps(content, indent=indent))
    assert rows(path, "json") == [("good", "1", 2 if indent else 1), ("b\n[]", "0", 6 if indent else 1)]


COMPRESS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
}


@pytest.mark.parametrize("ending", [*COMPRESS, ".zip", ".GZ"])
def test_compressed_files_are_read(tmp_path, ending):
    content = "text,label\ncafé,pos\n".encode()
    path = tmp_path / f"r.csv{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.csv", content)
    else:
        path.write_bytes(COMPRESS[ending.lower()](content))
    assert ending_of(path) == ".csv"
    assert rows(path, "csv") == [("café", "pos", 2)]


def test_damaged_and_several_files_in_an_archive_are_refused(write, tmp_path):
    with pytest.raises(SentexpError, match=r"r\.csv\.gz: not a gzip file that can be read"):
        rows(write("text,label\n", "r.csv.gz"), "csv")
    with pytest.raises(SentexpError, match=r"r\.zip: not a zip file"):
        rows(write("text,label\n", "r.zip"), "csv")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(SentexpError, match=r"two\.zip: holds 2 files; expected one"):
        rows(tmp_path / "two.zip", "csv")
    whole = gzip.compress(b"text,label\n" + b"some words,pos\n" * 1000)
    with pytest.raises(SentexpError, match=r"cut\.csv\.gz: not a gzip file that can be read"):
        rows(write(whole[:-20], "cut.csv.gz"), "csv")


def test_excel(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("text", "label"), ("good", 1), (None, None), (10, 0.5), ("bad", "x")):
        book.active.append(row)
    book.save(tmp_path / "r.xlsx")
    assert rows(tmp_path / "r.xlsx", "excel") == [("good", "1", 2), ("10", "0.5", 4), ("bad", "x", 5)]
    (tmp_path / "bad.xlsx").write_bytes(b"no excel")
    with pytest.raises(SentexpError, match=r"bad\.xlsx: not an Excel file"):
        rows(tmp_path / "bad.xlsx", "excel")


def test_an_excel_file_without_a_sheet_is_refused(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    openpyxl.Workbook().save(tmp_path / "one.xlsx")
    with zipfile.ZipFile(tmp_path / "one.xlsx") as one, zipfile.ZipFile(tmp_path / "none.xlsx", "w") as none:
        for name in one.namelist():
            content = one.read(name)
            none.writestr(name, re.sub(rb"<sheet .*?/>", b"", content) if name == "xl/workbook.xml" else content)
    with pytest.raises(SentexpError, match=r"none\.xlsx: holds no sheet"):
        rows(tmp_path / "none.xlsx", "excel")


def test_rows_of_a_sheet_may_end_early_and_other_sheets_are_named(tmp_path, caplog):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("text", "label"), ("good", "pos"), ("bad",)):
        book.active.append(row)
    book.create_sheet("more")
    book.save(tmp_path / "r.xlsx")
    with caplog.at_level("INFO"):
        assert rows(tmp_path / "r.xlsx", "excel") == [("good", "pos", 2), ("bad", None, 3)]
    assert "not read: more" in caplog.text


def test_a_blank_first_line_is_no_header(write):
    assert rows(write("\ntext,label\na,b\n"), "csv") == [("a", "b", 3)]
