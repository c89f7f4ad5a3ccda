"""Parsers of files of reviews: csv, tsv, json, json lines, parquet and Excel, as a stream of Arrow batches.

Batches have the columns text, label and, for all but parquet, line: the line or row of the file in which the row
begins.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sentexp.data.columns import Columns, Row, at_path, check_columns, joined_texts, keyed, no_column
from sentexp.data.delimited import delimited_rows
from sentexp.data.labels import ONE_LABEL, name_of
from sentexp.data.opened import text_lines
from sentexp.errors import SentexpError, one_line

log = logging.getLogger(__name__)

ROWS_PER_BATCH = 1000
SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string()), ("line", pa.int64())])

_HALF_PAIR = re.compile("[\ud800-\udfff]")

Parser = Callable[[Path, Columns], Iterator[pa.RecordBatch]]


def read_csv(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Read rows whose fields are separated by a comma, semicolon, tab or bar; see `delimited_rows`.

    Raises SentexpError with the line, as all parsers do.
    """
    yield from batches(path, delimited_rows(path, columns))


def read_tsv(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Read rows as `read_csv` does, separated by tabs."""
    yield from batches(path, delimited_rows(path, columns, default="\t"))


def read_json(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Read one JSON object per line, or one array of objects. A key that an object lacks counts as null; one that all
    objects lack is an error."""
    yield from batches(path, _json_rows(path, columns))


def read_txt(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Read one text per line, without labels."""
    lines = text_lines(path, columns.encoding)
    yield from batches(path, ((line.rstrip("\r\n"), None, number) for number, line in enumerate(lines, 1)))


def read_parquet(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Read the text and label columns of a parquet file; labels keep their type, and the names that `datasets` gave."""
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for a column's name that is no text
        if isinstance(error, OSError) and error.errno is not None:  # not there, not to be read: not damaged
            raise
        raise SentexpError(f"{path}: not a parquet file that can be read ({one_line(error)})") from error
    # Categories, as pandas writes them, become their values.
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in schema]
    features = _features(path, pa.schema(fields, metadata=schema.metadata))
    check_columns(features, str(path), columns.texts, columns.label)
    kept = datasets.Features({"text": datasets.Value("string")})
    if columns.label is not None:
        kept["label"] = features[columns.label]
    row = 0
    try:
        for batch in file.iter_batches(ROWS_PER_BATCH, columns=sorted(columns.wanted)):
            texts = [_field(batch, column).cast(pa.string()) for column in columns.texts]
            for text in texts:
                _check_utf8(text, path, row)
            labels = [] if columns.label is None else [_field(batch, columns.label)]
            for column in labels:
                if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                    _check_utf8(column, path, row)
            yield pa.record_batch([joined_texts(texts), *labels], schema=kept.arrow_schema)
            row += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise SentexpError(f"{path}: cannot be read after row {row} ({one_line(error)})") from error


def _features(path: Path, schema: pa.Schema) -> datasets.Features:
    """Return the kinds of the columns, by what `datasets` has written into the metadata, if it has."""
    try:
        return datasets.Features.from_arrow_schema(schema).flatten()
    # no JSON, other values than expected, the name of a kind that this version of `datasets` does not have
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as error:
        raise SentexpError(
            f"{path}: its metadata `huggingface` cannot be read ({one_line(error)}); expected what `datasets` "
            f"{datasets.__version__} writes there, or a file without it"
        ) from error


def read_excel(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Read the first sheet of an Excel file (.xlsx). Needs the extra excel."""
    yield from batches(path, _excel_rows(path, columns))


PARSERS: dict[str, Parser] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "jsonl": read_json,
    "json": read_json,
    "parquet": read_parquet,
    "excel": read_excel,
}
ENDINGS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet", ".xlsx": "excel",
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


def _json_rows(path: Path, columns: Columns) -> Iterator[Row]:
    first: list[str] | None = None
    met: set[str] = set()
    for value, line in json_values(path, columns.encoding):
        if not isinstance(value, dict):
            raise SentexpError(f"{path}:{line}: expected one JSON object per line, found {_json_kind(value)}")
        first = list(value) if first is None else first
        texts = [_text(at_path(value, column), column, f"{path}:{line}") for column in columns.texts]
        met.update(column for column, text in zip(columns.texts, texts, strict=True) if text is not None)
        met.update(column for column in columns.wanted if column in value)
        label = None if columns.label is None else at_path(value, columns.label)
        if label is not None:
            met.add(str(columns.label))
        try:
            yield columns.join(texts), name_of(label), line
        except ValueError as error:
            why = ONE_LABEL if isinstance(label, list) else ""
            raise SentexpError(f"{path}:{line}: {why}label {error} (data.label_column={columns.label})") from None
    for key, column in keyed(columns.texts, columns.label):
        if first is not None and column not in met:
            raise no_column(key, column, first, f"{path} (first line)")


def json_values(path: Path, encoding: str) -> Iterator[tuple[Any, int]]:
    """Yield the values of a file, each with the line at which it begins: one per line, or those of one array."""
    lines = enumerate(text_lines(path, encoding), 1)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        return
    if first[1].lstrip().startswith("["):
        yield from _array_values(path, first[1] + "".join(line for _, line in lines), first[0])
        return
    for number, line in chain([first], lines):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            hint = "; expected one JSON object per line, or an array of them" if number == first[0] else ""
            raise SentexpError(f"{path}:{number}: not JSON ({error}){hint}") from None
        yield value, number


def _array_values(path: Path, text: str, line: int) -> Iterator[tuple[Any, int]]:
    """Yield the values of one JSON array, whose text begins at `line`."""
    decoder, blank = json.JSONDecoder(), re.compile(r"\s*")
    counted = 0
    at = blank.match(text).end() + 1  # type: ignore[union-attr]
    while True:
        at = blank.match(text, at).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            if text[at + 1 :].strip():
                raise SentexpError(f"{path}:{line}: more stands after the array; expected one array")
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise SentexpError(f"{path}:{line}: not JSON ({error})") from None
        yield value, line
        at = blank.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            line += text.count("\n", counted, at)
            raise SentexpError(f"{path}:{line}: not JSON; expected a comma between the objects, or ] after the last")


def _text(value: Any, column: str, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise SentexpError(f"{where}: data.text_column={column}: expected text, found {_json_kind(value)}")
    return value


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _excel_rows(path: Path, columns: Columns) -> Iterator[Row]:
    try:
        import openpyxl
    except ImportError:
        raise SentexpError(f"{path}: Excel files need openpyxl: pip install -c constraints.txt -e '.[excel]'") from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except OSError:
        raise
    except Exception as error:  # what openpyxl raises for a damaged file differs from version to version
        raise SentexpError(f"{path}: not an Excel file (.xlsx) that can be read ({one_line(error)})") from error
    if not book.worksheets:
        raise SentexpError(f"{path}: holds no sheet; expected one with a column of texts and one of labels")
    if len(book.worksheets) > 1:
        others = ", ".join(sheet.title for sheet in book.worksheets[1:])
        log.info("data: %s: read: sheet %s; not read: %s", path, book.worksheets[0].title, others)
    rows = book.worksheets[0].iter_rows(values_only=True)
    number, header = 0, None
    for number, cells in enumerate(rows, 1):
        if header is None:
            if columns.header:
                header = ["" if cell is None else str(cell) for cell in cells]
            else:
                header = [str(place) for place in range(1, len(cells) + 1)]
            texts, label = columns.find(header, f"{path} ({'first row' if columns.header else 'without a header'})")
            if columns.header:
                continue
        if all(cell is None for cell in cells):
            continue
        cells = (*cells, *[None] * (len(header) - len(cells)))  # a row may end with its last cell that is not empty
        try:
            name = None if label is None else name_of(cells[label])
        except ValueError as error:
            raise SentexpError(f"{path}:{number}: label {error} (data.label_column={columns.label})") from None
        # A text that looks like a number is a number to Excel.
        yield columns.join(None if cells[i] is None else str(cells[i]) for i in texts), name, number
    if header is None:
        raise SentexpError(f"{path}: no rows, not even a header")


def _field(batch: pa.RecordBatch, path: str) -> pa.Array:
    """Return a column, or a field inside one; categories as their values."""
    if path in batch.schema.names:
        array = batch.column(path)
    else:
        head, *rest = path.split(".")
        array = pc.struct_field(batch.column(head), rest)
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _check_utf8(texts: pa.Array, path: Path, start: int) -> None:
    """Raise SentexpError for a text that is not UTF-8: parquet demands it, but checks nothing before a text is used."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        for i, value in enumerate(texts.cast(pa.large_binary())):
            try:
                (value.as_py() or b"").decode("utf-8")
            except UnicodeDecodeError as error:
                bad = f"byte 0x{error.object[error.start]:02x}"
                raise SentexpError(f"{path}, row {start + i + 1}: {bad} is not utf-8, which parquet demands") from None
        raise
