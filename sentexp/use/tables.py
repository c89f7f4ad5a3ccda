"""Reads a table of texts piece by piece with all its columns, and writes it again with further ones."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentexp.atomic import whole_file
from sentexp.data.columns import Columns, at_path, no_column
from sentexp.data.delimited import OnBad, open_delimited
from sentexp.data.opened import COMPRESSIONS, ending_of, text_lines
from sentexp.data.tables import ENDINGS, json_values
from sentexp.errors import SentexpError, one_line

READ = ("csv", "tsv", "jsonl", "json", "parquet", "txt")
WRITTEN = ("csv", "tsv", "jsonl", "parquet")
"""Formats. A txt file has one text per line; json is one array of objects."""

ROWS_PER_CHUNK = 2000

Record = tuple[dict[str, Any], str]
"""Values by the names of their columns, and the place of the row."""

_HALF_PAIR = re.compile("[\ud800-\udfff]")
_FOREIGN_BYTE = re.compile("[\udc80-\udcff]")  # what stands for a byte that is not in the encoding

Write = Callable[[Sequence[dict[str, Any]]], object]
"""Called with records, which all have the columns of the first one."""


@dataclass
class Rows:
    """Some rows of a table, in order."""

    records: list[dict[str, Any]]
    """Values by the names of their columns."""
    places: list[str]
    """File and line of each, or the number of the row, counted from 1."""
    texts: list[str | None]
    """The text of each; None where the record holds no text, which has been told."""


def read_rows(path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Rows]:
    """Yield the rows of a csv, tsv, json or parquet file, plain or compressed, or of a text file.

    A missing text is an empty one. A row that cannot be parsed is left out; a row whose text is none, or is not in the
    encoding, has None for it. `on_bad` is told of both. Raises SentexpError for a file that cannot be read at all, and
    for a column that is not there.
    """
    columns = replace(columns, label=None)
    kind = format_of(path, "--input", READ)
    parsers = {"jsonl": _json_lines, "json": _json_array, "parquet": _parquet, "txt": _text_lines}
    found = parsers.get(kind, _delimited)(path, columns, on_bad)
    rows = ((record, place, _text(record, place, columns, on_bad)) for record, place in found)
    while chunk := list(islice(rows, ROWS_PER_CHUNK)):
        yield Rows(*map(list, zip(*chunk, strict=True)))


def format_of(path: Path, option: str, formats: Sequence[str]) -> str:
    """Return the one of `formats` that the name of the file tells. Raises SentexpError, with `option`, if none."""
    ending = ending_of(path)
    kind = "txt" if ending == ".txt" else ENDINGS.get(ending, "")
    if kind not in formats:
        raise SentexpError(f"{option} {path}: its ending tells none of the formats {', '.join(formats)}")
    return kind


def _delimited(path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Record]:
    default = "\t" if format_of(path, "--input", READ) == "tsv" else None
    names, rows = open_delimited(path, columns, default, on_bad=on_bad)
    columns.find(names, f"{path} ({'first line' if columns.header else 'without a header'})")
    for fields, line in rows:
        yield dict(zip(names, fields, strict=True)), f"{path}:{line}"


def _json_lines(path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Record]:
    def values() -> Iterator[tuple[Any, int]]:
        for number, line in enumerate(text_lines(path, columns.encoding, keep_bytes=True), 1):
            if line.strip():
                try:
                    yield json.loads(line), number
                except (ValueError, RecursionError) as error:
                    on_bad(f"{path}:{number}: not JSON ({error})")

    return _objects(values(), path, columns, on_bad)


def _json_array(path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Record]:
    return _objects(json_values(path, columns.encoding), path, columns, on_bad)


def _objects(values: Iterable[tuple[Any, int]], path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Record]:
    """Yield the values that are objects. Raises SentexpError at the end if none of them has a text column."""
    first: list[str] | None = None
    met = False
    for value, line in values:
        if not isinstance(value, dict):
            on_bad(f"{path}:{line}: not a JSON object")
            continue
        first = list(value) if first is None else first
        met = met or any(at_path(value, column) is not None for column in columns.texts)
        yield value, f"{path}:{line}"
    if first is not None and not met:
        raise no_column("text_column", columns.texts[0], first, f"{path} (first object)")


def _text_lines(path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Record]:
    for number, line in enumerate(text_lines(path, columns.encoding, keep_bytes=True), 1):
        yield {columns.texts[0]: line.rstrip("\r\n")}, f"{path}:{number}"


def _parquet(path: Path, columns: Columns, on_bad: OnBad) -> Iterator[Record]:
    try:
        file = pq.ParquetFile(path)
        for column in columns.texts:
            if column not in file.schema_arrow.names and column.split(".")[0] not in file.schema_arrow.names:
                raise no_column("text_column", column, file.schema_arrow.names, str(path))
        batches = (batch.to_pylist() for batch in file.iter_batches(ROWS_PER_CHUNK))
        for number, record in enumerate(chain.from_iterable(batches), 1):
            yield record, f"{path}, row {number}"
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise SentexpError(f"{path}: not a parquet file that can be read ({one_line(error)})") from error


def _text(record: dict[str, Any], place: str, columns: Columns, on_bad: OnBad) -> str | None:
    texts = [at_path(record, column) for column in columns.texts]
    for column, text in zip(columns.texts, texts, strict=True):
        if text is not None and not isinstance(text, str):
            on_bad(f"{place}: {column} holds {type(text).__name__}, not a text")
            return None
        if text is not None and _FOREIGN_BYTE.search(text):
            on_bad(f"{place}: {column} is not {columns.encoding}; expected --encoding NAME of the file")
            return None
    return columns.join(texts)


@contextmanager
def open_writer(path: Path) -> Iterator[Write]:
    """Yield a function that appends records to a file, in the format and the compression that its name tells.

    It appears under its name when the block ends well, replacing an older file; otherwise nothing is left of it.
    Raises SentexpError for a format that is not known.
    """
    kind = format_of(path, "--output", WRITTEN)
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression == "zip" or (kind == "parquet" and compression):
        raise SentexpError(f"--output={path}: not written; expected .gz, .bz2, .zst or none behind csv, tsv or jsonl")
    with whole_file(path) as unfinished:
        if kind == "parquet":
            with _ParquetFile(unfinished) as parquet:
                yield parquet.write
            return
        with pa.output_stream(str(unfinished), compression=compression) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
            yield _JsonLines(text).write if kind == "jsonl" else _Delimited(text, kind).write
            text.flush()
            text.detach()


class _JsonLines:
    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file

    def write(self, records: Iterable[dict[str, Any]]) -> None:
        for record in records:
            line = json.dumps(record, ensure_ascii=False, default=str)
            if _HALF_PAIR.search(line):  # no character, which only an escape can spell
                line = json.dumps(record, default=str)
            self._file.write(f"{line}\n")


class _Delimited:
    def __init__(self, file: io.TextIOWrapper, kind: str) -> None:
        self._rows = csv.writer(file, delimiter="\t" if kind == "tsv" else ",", lineterminator="\n")
        self._names: list[str] = []

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        if not self._names and records:
            self._names = list(records[0])
            self._rows.writerow(self._names)
        self._rows.writerows([record.get(name) for name in self._names] for record in records)


class _ParquetFile:
    """Columns have the types of the first records."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _ParquetFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        schema = self._writer.schema if self._writer is not None else None
        table = pa.Table.from_pylist(list(records), schema=schema)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
