"""Parsers of review files: csv, tsv, json lines and parquet, as a stream of Arrow batches; errors name the line.

Batches have the columns text, label and, for text files, line: the line of the file in which the row begins.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from sentexp.data.labels import name_of
from sentexp.data.reviews import check_columns, no_column
from sentexp.errors import SentexpError, one_line

ROWS_PER_BATCH = 1000
SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string()), ("line", pa.int64())])

_HALF_PAIR = re.compile("[\ud800-\udfff]")

Row = tuple["str | None", "str | None", int]
Parser = Callable[[Path, str, str, str], Iterator[pa.RecordBatch]]


def read_csv(path: Path, text_column: str, label_column: str, encoding: str) -> Iterator[pa.RecordBatch]:
    """Read comma-separated rows below a header; fields with commas, quotes or line ends are quoted (RFC 4180).

    Raises SentexpError with the line, as all parsers do.
    """
    yield from batches(path, _delimited_rows(path, ",", text_column, label_column, encoding))


def read_tsv(path: Path, text_column: str, label_column: str, encoding: str) -> Iterator[pa.RecordBatch]:
    """Read rows as `read_csv` does, separated by tabs."""
    yield from batches(path, _delimited_rows(path, "\t", text_column, label_column, encoding))


def read_jsonl(path: Path, text_column: str, label_column: str, encoding: str) -> Iterator[pa.RecordBatch]:
    """Read one JSON object per line. A key that a line lacks counts as null; one that all lines lack is an error."""
    yield from batches(path, _json_rows(path, text_column, label_column, encoding))


def read_parquet(path: Path, text_column: str, label_column: str, _encoding: str) -> Iterator[pa.RecordBatch]:
    """Read the two columns of a parquet file in their own types; class names written by `datasets` are kept."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise SentexpError(f"{path}: not a parquet file that can be read ({one_line(error)})") from error
    # Categories, as pandas writes them, become their values.
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in file.schema_arrow]
    features = datasets.Features.from_arrow_schema(pa.schema(fields, metadata=file.schema_arrow.metadata))
    check_columns(features, str(path), text_column, label_column)
    kept = datasets.Features({column: features[column] for column in (text_column, label_column)})
    row = 0
    try:
        for batch in file.iter_batches(ROWS_PER_BATCH, columns=list(kept)):
            batch = pa.record_batch([_plain(batch.column(column)) for column in kept], schema=kept.arrow_schema)
            _check_utf8(batch.column(0), path, row)
            yield batch
            row += len(batch)
    except (pa.ArrowInvalid, OSError) as error:
        raise SentexpError(f"{path}: cannot be read after row {row} ({one_line(error)})") from error


PARSERS: dict[str, Parser] = {"csv": read_csv, "tsv": read_tsv, "jsonl": read_jsonl, "parquet": read_parquet}
ENDINGS = {
    ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet",
}  # fmt: skip


def batches(path: Path, rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """Collect rows of (text, label, line) into Arrow batches."""
    rows = iter(rows)
    while chunk := list(islice(rows, ROWS_PER_BATCH)):
        texts, labels, lines = zip(*chunk, strict=True)
        try:
            yield pa.record_batch([pa.array(texts, pa.string()), pa.array(labels, pa.string()), lines], schema=SCHEMA)
        except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
            line = next(line for text, label, line in chunk if _HALF_PAIR.search(f"{text}{label}"))
            raise SentexpError(f"{path}:{line}: holds half of a surrogate pair, which is not a character") from None


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a text file with their ends. Raises SentexpError with the line of a byte not in `encoding`."""
    try:
        # A byte order mark, as spreadsheets write it, is not part of the first line.
        codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError:
        raise SentexpError(f"data.encoding={encoding}: no such encoding; expected utf-8, latin-1 ...") from None
    try:
        with path.open(encoding=codec, newline="") as file:
            yield from file
    except UnicodeError:
        line, byte = _undecodable(path, codec)
        raise SentexpError(
            f"{path}:{line}: {byte} is not {encoding}; expected data.encoding=NAME of the file (latin-1, cp1252 ...)"
        ) from None


def _undecodable(path: Path, codec: str) -> tuple[int, str]:
    """Return the line of the first byte that cannot be decoded, and what is there."""
    decoder, line = codecs.getincrementaldecoder(codec)(), 1
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 16)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(codec, errors="ignore")
                return line + good.count("\n"), f"byte 0x{error.object[error.start]:02x}"
            except UnicodeError as error:  # utf-16 without its byte order mark
                return line, str(error)
            if not block:
                return line, "a byte"


def _delimited_rows(path: Path, delimiter: str, text_column: str, label_column: str, encoding: str) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # for the whole process; the default refuses reviews longer than 128 KiB
    reader = csv.reader(text_lines(path, encoding), delimiter=delimiter, strict=True)
    line = 1
    try:
        header = next(reader, [])
        if not header:
            raise SentexpError(f"{path}: no rows, not even a header")
        for key, column in (("text_column", text_column), ("label_column", label_column)):
            if column not in header:
                raise no_column(key, column, [name[:40] for name in header], f"{path} (first line)")
        text, label, width = header.index(text_column), header.index(label_column), len(header)
        line = reader.line_num + 1
        for row in reader:
            if len(row) == width:
                yield row[text], name_of(row[label]), line
            elif row:  # an empty line is no row
                separator = "comma" if delimiter == "," else "tab"
                raise SentexpError(
                    f"{path}:{line}: {len(row)} fields where the header has {width}; expected double quotes around a "
                    f"field with a {separator}, a quote or a line end"
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise SentexpError(
            f"{path}:{line}: {error}; a field that begins with a double quote must end with one and double those inside"
        ) from error


def _json_rows(path: Path, text_column: str, label_column: str, encoding: str) -> Iterator[Row]:
    first: list[str] | None = None
    met: set[str] = set()
    for number, line in enumerate(text_lines(path, encoding), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SentexpError(f"{path}:{number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise SentexpError(f"{path}:{number}: expected one JSON object per line, found {_json_kind(row)}")
        first = list(row) if first is None else first
        met.update(column for column in (text_column, label_column) if column in row)
        text = row.get(text_column)
        if text is not None and not isinstance(text, str):
            raise SentexpError(
                f"{path}:{number}: data.text_column={text_column}: expected text, found {_json_kind(text)}"
            )
        try:
            yield text, name_of(row.get(label_column)), number
        except ValueError as error:
            raise SentexpError(f"{path}:{number}: label {error} (data.label_column={label_column})") from None
    for key, column in (("text_column", text_column), ("label_column", label_column)):
        if first is not None and column not in met:
            raise no_column(key, column, first, f"{path} (first line)")


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _check_utf8(array: pa.Array, path: Path, start: int) -> None:
    """Raise SentexpError for a text that is not UTF-8: parquet demands it, but checks nothing before a text is used."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        for i, value in enumerate(array.cast(pa.large_binary())):
            try:
                (value.as_py() or b"").decode("utf-8")
            except UnicodeDecodeError as error:
                bad = f"byte 0x{error.object[error.start]:02x}"
                raise SentexpError(f"{path}, row {start + i + 1}: {bad} is not utf-8, which parquet demands") from None
        raise
