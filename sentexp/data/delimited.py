"""Parses csv and tsv: rows of fields between delimiters. Finds out the delimiter and what quotation marks mean."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from sentexp.data.columns import Columns, Row
from sentexp.data.labels import name_of
from sentexp.data.opened import text_lines
from sentexp.errors import SentexpError

log = logging.getLogger(__name__)

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
QUOTINGS = ("auto", "standard", "none")
SAMPLE = 50
"""First rows by which the delimiter is found."""

UNCLOSED = "unexpected end of data"
"""What csv says of a quotation mark that is never closed."""

Lines = Callable[[], Iterator[str]]

Fields = tuple[list[str], int]
"""The fields of a row, and the line at which it begins."""

OnBad = Callable[[str], object]
"""Called with what is wrong with a row, which its place is part of."""


def delimited_rows(path: Path, columns: Columns, default: str | None = None) -> Iterator[Row]:
    """Yield text, label and line of each row of a delimited file; see `open_delimited`."""
    names, rows = open_delimited(path, columns, default)
    texts, label = columns.find(names, f"{path} ({'first line' if columns.header else 'without a header'})")
    for fields, line in rows:
        yield columns.join(fields[place] for place in texts), None if label is None else name_of(fields[label]), line


def open_delimited(
    path: Path, columns: Columns, default: str | None = None, *, on_bad: OnBad | None = None
) -> tuple[list[str], Iterator[Fields]]:
    """Return the names of the columns of a delimited file and its rows, each with the line at which it begins.

    `default` is the delimiter where `columns.delimiter` is auto; None finds it.

    With `quoting=standard`, a field with a delimiter, a quotation mark or a line end stands in double quotation marks
    (RFC 4180); with `none` they are characters like any other, as in many tsv files. `auto` is standard between commas
    and semicolons; between others it is none if the file makes sense only so.

    Raises SentexpError with the line for a row that has more or fewer fields than the header. With `on_bad`, that is
    called with what the message would be, the row is left out, and bytes that are not in the encoding are kept; see
    `text_lines`.
    """
    csv.field_size_limit(2**31 - 1)  # for the whole process; the default refuses reviews longer than 128 KiB

    def lines() -> Iterator[str]:
        return text_lines(path, columns.encoding, keep_bytes=on_bad is not None)

    delimiter = DELIMITERS.get(columns.delimiter, columns.delimiter)
    if delimiter == "auto":
        delimiter = default or _find_delimiter(lines, columns)
    quoting = columns.quoting
    if quoting == "auto":
        quoting = "standard" if delimiter in ",;" else _find_quoting(path, lines, delimiter, strict=on_bad is None)
    rows = _rows(path, lines(), delimiter, quoting, on_bad)
    first = next(rows, None)
    if first is None:
        raise SentexpError(f"{path}: no rows, not even a header")
    names = first[0] if columns.header else [str(number) for number in range(1, len(first[0]) + 1)]
    return names, rows if columns.header else _rows(path, lines(), delimiter, quoting, on_bad)


def _rows(
    path: Path, lines: Iterator[str], delimiter: str, quoting: str, on_bad: OnBad | None = None
) -> Iterator[Fields]:
    """Yield the fields of each row and the line at which it begins; each row must have as many as the header."""
    plain = quoting == "none"
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL, strict=True)
    line, width = 1, 0
    while True:
        problem = None
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = (
                f"{path}:{line}: {error}; a field that begins with a double quote must end with one and double those "
                "inside; data.quoting=none takes quotation marks as plain characters"
            )
            if UNCLOSED in str(error):  # it has swallowed all rows that follow
                raise SentexpError(problem) from error
        else:
            width = width or len(row)
            if row and len(row) == width:
                yield row, line
            elif row:  # an empty line is no row
                problem = f"{path}:{line}: {len(row)} fields where the header has {width}{_way_out(quoting, delimiter)}"
        if problem is not None:
            if on_bad is None:
                raise SentexpError(problem)
            on_bad(problem)
        line = reader.line_num + 1


def _way_out(quoting: str, delimiter: str) -> str:
    name = _name(delimiter)
    if quoting == "none":
        return f"; expected no {name} inside a field, or data.quoting=standard"
    return f"; expected double quotes around a field with a {name}, a quote or a line end"


def _name(delimiter: str) -> str:
    return next((name for name, character in DELIMITERS.items() if character == delimiter), f"`{delimiter}`")


def _find_delimiter(lines: Lines, columns: Columns) -> str:
    """Return the delimiter that gives the header the wanted columns; failing that, the one that fits the first rows."""
    fitting: dict[str, int] = {}
    for delimiter in DELIMITERS.values():
        reader = csv.reader(lines(), delimiter=delimiter)
        sample = [row for row in islice(reader, SAMPLE) if row]
        if not sample:
            return ","
        if columns.header and columns.wanted <= set(sample[0]):
            return delimiter
        if len({len(row) for row in sample}) == 1:
            fitting[delimiter] = len(sample[0])
    return max(fitting, key=lambda delimiter: fitting[delimiter], default=",")


def _find_quoting(path: Path, lines: Lines, delimiter: str, *, strict: bool) -> str:
    """Return standard or none, whichever fits all rows. If neither does, raise SentexpError with the line if `strict`,
    else return none, with which a quotation mark spoils no other row."""
    try:
        for fields, line in _rows(path, lines(), delimiter, "standard"):
            if any(delimiter in field and ("\n" in field or "\r" in field) for field in fields):
                raise SentexpError(
                    f"{path}:{line}: a field in quotation marks that runs over several lines with a {_name(delimiter)} "
                    "in it; data.quoting=none takes quotation marks as plain characters, standard keeps this field"
                )
        return "standard"
    except SentexpError as doubt:
        try:
            for _ in _rows(path, lines(), delimiter, "none"):
                pass
        except SentexpError:
            if strict:
                raise doubt from None
        log.info("data: %s: quotation marks are plain characters here (data.quoting=auto chose none)", path)
        return "none"
