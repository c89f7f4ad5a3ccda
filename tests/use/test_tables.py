from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentexp.data.columns import Columns
from sentexp.errors import SentexpError
from sentexp.use.tables import open_writer, read_rows

FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
RECORDS = st.lists(st.fixed_dictionaries({"text": FIELDS, "other one": FIELDS}), min_size=1, max_size=6)


def read(
    path: Path, texts: tuple[str, ...] = ("text",), **written: Any
) -> tuple[list[dict], list[str | None], list[str]]:
    problems: list[str] = []
    pieces = list(read_rows(path, Columns(texts, texts[0], **written), problems.append))
    return [row for one in pieces for row in one.records], [text for one in pieces for text in one.texts], problems


@given(records=RECORDS, ending=st.sampled_from(["csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.zst", "tsv.bz2"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(records, ending, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    with open_writer(path) as write:
        write(records)
    found, texts, problems = read(path, quoting="standard")
    assert (found, problems) == (records, [])
    assert texts == [record["text"] for record in records]


@pytest.mark.parametrize(
    ("name", "content", "left"),
    [
        ("a.csv", "text,n\ngood,1\nbad,2,3\nfair,4\n", ["good", "fair"]),
        ("a.csv", 'text,n\ngood,1\n"bad" x,2\nfair,4\n', ["good", "fair"]),
        ("a.tsv", 'text\tn\ngood\t1\n"bad\t2\t3\nfair\t4\n', ["good", "fair"]),
        ("a.jsonl", '{"text": "good"}\n{"text": \n{"text": "fair"}\n', ["good", "fair"]),
        ("a.jsonl", '{"text": "good"}\n["bad"]\n{"text": "fair"}\n', ["good", "fair"]),
        ("a.jsonl", '{"text": "good"}\n{"text": 3}\n{"text": "fair"}\n', ["good", None, "fair"]),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_others_are_read(name, content, left, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    _, texts, problems = read(path)
    assert texts == left
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:{2 if name.endswith('jsonl') else 3}: ")


def test_a_mark_that_is_never_closed_ends_the_reading_since_it_swallows_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,n\ngood,1\n"bad,2\nfair,3\n')
    with pytest.raises(SentexpError, match=r"a\.csv:3: unexpected end of data"):
        read(path)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_bytes_that_are_not_utf8_cost_their_row_and_are_written_as_they_were(name, tmp_path: Path) -> None:
    path, again = tmp_path / name, tmp_path / "again.csv"
    rows = {
        "a.csv": b"text\ngood\nb\xe9\n",
        "a.jsonl": b'{"text": "good"}\n{"text": "b\xe9"}\n',
        "a.txt": b"good\nb\xe9\n",
    }
    path.write_bytes(rows[name])
    records, texts, problems = read(path)
    assert texts == ["good", None]
    assert "--encoding" in problems[0]
    assert read(path, encoding="latin-1")[1] == ["good", "b\xe9"]
    with open_writer(again) as write:
        write(records)
    assert again.read_bytes() == b"text\ngood\nb\xe9\n"


def test_missing_texts_are_empty_ones_and_several_columns_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"title": ["A", None, "C"], "body": ["one", "two", None]}).to_parquet(path)
    assert read(path, ("title", "body"))[1] == ["A one", "two", "C"]
    assert read(path, ("body",))[1] == ["one", "two", ""]


def test_columns_inside_of_others_and_json_arrays(tmp_path: Path) -> None:
    records = [{"review": {"text": "good"}, "n": 1}, {"review": {"text": None}, "n": 2}]
    (tmp_path / "a.json").write_text(json.dumps(records, indent=2))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    for name in ("a.json", "a.jsonl.gz"):
        assert read(tmp_path / name, ("review.text",))[:2] == (records, ["good", ""])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"review\ngood\n"), ("a.jsonl", b'{"review": "good"}\n'), ("a.parquet", None)],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(name, content, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is None:
        pd.DataFrame({"review": ["good"]}).to_parquet(path)
    else:
        path.write_bytes(content)
    with pytest.raises(SentexpError, match=r"text: no such column in .*review"):
        read(path)


def test_files_that_cannot_be_read_or_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(SentexpError, match="not a parquet file"):
        read(tmp_path / "a.parquet")
    with pytest.raises(SentexpError, match="tells none of the formats csv"):
        read(tmp_path / "a.docx")
    for name in ("a.json", "a.csv.zip", "a.parquet.gz"):
        with pytest.raises(SentexpError, match="--output"), open_writer(tmp_path / name):
            pass


def test_a_block_that_fails_leaves_no_file_and_the_old_one_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted() -> None:
        with open_writer(path) as write:
            write([{"text": "new"}])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "old"


def test_parquet_keeps_the_types_of_its_columns(tmp_path: Path) -> None:
    table = pa.table({"text": ["good"], "n": pa.array([3], pa.int64()), "when": pa.array([0], pa.timestamp("s"))})
    pq.write_table(table, tmp_path / "a.parquet")
    records, _, _ = read(tmp_path / "a.parquet")
    with open_writer(tmp_path / "b.parquet") as write:
        write(records)
    assert pq.read_table(tmp_path / "b.parquet").to_pylist() == table.to_pylist()
