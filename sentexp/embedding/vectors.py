"""Reads the vectors of wanted words from a file, as a stream: nothing else of the file is kept in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sentexp.embedding.container import BUFFER, Source, opened
from sentexp.embedding.dimension import HEAD, VectorFormat, find_format, is_number, numbers_at_end
from sentexp.errors import SentexpError
from sentexp.terminal import ProgressCallback

# Shapes: F words found, E embedding.dim

LARGEST = float(np.finfo(np.float32).max)
LONGEST_WORD = 10_000  # bytes; a longer one means that a binary file is damaged
LINES_PER_REPORT = 8192
END = 1 << 16  # bytes in which nearly every line ends


@dataclass(frozen=True)
class Vectors:
    """The vectors of the words found."""

    index: dict[str, int]
    """The row of each word."""
    rows: np.ndarray
    """[F, E], float32."""


def read(
    path: Path, wanted: Iterable[str], dim: int | None = None, progress: ProgressCallback | None = None
) -> Vectors:
    """Read the vectors of those `wanted` words that the file holds, in the order of the file.

    The file is text or binary; plain, .gz or .zip. If a word comes twice, its first vector counts. Words are compared
    as UTF-8 bytes, so a word in another encoding matches none. For speed, the numbers of unwanted words are counted
    but not converted.

    Raises SentexpError, with the line if there is one, for a file of another dimension than `dim`, a wrong count of
    numbers, a wanted word with something that is not a finite number, and a file that is cut short.
    """
    with opened(path, dim) as source:
        form = find_format(source, dim)
        missing = {word.encode("utf-8", "surrogatepass"): word for word in wanted}
        parse = _binary if form.binary else _text
        return parse(source, form, missing, progress)


def _text(source: Source, form: VectorFormat, missing: dict[bytes, str], progress: ProgressCallback | None) -> Vectors:
    dim, count = form.dim, 0
    index: dict[str, int] = {}
    rows: list[np.ndarray] = []
    for number, line in enumerate(io.BufferedReader(_BoundedLines(source), BUFFER), start=form.first_row):
        if progress is not None and number % LINES_PER_REPORT == 0:
            progress(source.done(), source.total, f"reading {source.called}")
        line = line.rstrip()
        if not line:
            continue
        count += 1
        # not plain: a word that holds spaces, white space other than single spaces, or a mistake
        plain = line.count(b" ") == dim
        word = line[: line.index(b" ")] if plain else _word_before_numbers(line, number, source, form)
        if word in missing:
            index[missing.pop(word)] = len(rows)  # popped, so that the first of two rows counts
            rows.append(_numbers(line.rsplit(None, dim)[-dim:], number, source))
    _check_count(count, source, form)
    return Vectors(index, np.stack(rows) if rows else np.empty((0, dim), np.float32))


class _BoundedLines(io.RawIOBase):
    """A stream that ends with SentexpError in a line without end, of which a small archive can hold gigabytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._since = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._source.stream.readinto(buffer)  # type: ignore[attr-defined]
        block = memoryview(buffer)[:count]
        # nearly every line ends near the end of its block: the rest is seldom copied
        ends = b"\n" in bytes(block[-END:]) or b"\n" in bytes(block)
        self._since = 0 if ends else self._since + count
        if self._since > HEAD + BUFFER:
            raise SentexpError(f"{self._source.called}: a line is longer than {HEAD:,} bytes (is the file damaged?)")
        return count


def _word_before_numbers(line: bytes, number: int, source: Source, form: VectorFormat) -> bytes:
    if line[:1].isspace() and numbers_at_end([b"", *line.split()]) == len(line.split()) == form.dim:
        return b""  # the word is white space, which no token is
    fields = line.rsplit(None, form.dim)
    word = fields[0].rstrip()
    # One more number than expected is a mistake, but a whole number may end the word, as in `No. 1` or `World War 2`.
    end = word.split()[-1] if len(word.split()) > 1 else b""
    ends_in_number = end.isdigit() and any(b"." in field for field in fields[1:])
    if len(fields) != form.dim + 1 or (is_number(end) and not ends_in_number):
        found = numbers_at_end(line.split())
        reference = f"line {form.first_row} has" if form.words is None else "its first line promises"
        raise SentexpError(
            f"{source.called}: line {number} has {found} numbers where {reference} {form.dim} (is the file cut short?)"
        )
    return word


def _numbers(fields: list[bytes], number: int, source: Source) -> np.ndarray:
    try:
        row = np.array([float(field) for field in fields])
        if np.abs(row).max() <= LARGEST:  # false for nan too
            return row.astype(np.float32)
    except ValueError:
        pass
    wrong = next(field for field in fields if not is_number(field) or not abs(float(field)) <= LARGEST)
    shown = wrong.decode("utf-8", "backslashreplace")
    raise SentexpError(f"{source.called}: line {number} holds {shown!r} where a finite number is expected")


def _binary(
    source: Source, form: VectorFormat, missing: dict[bytes, str], progress: ProgressCallback | None
) -> Vectors:
    assert form.words is not None
    width = 4 * form.dim
    index: dict[str, int] = {}
    rows: list[np.ndarray] = []
    buffer, position = b"", 0
    for count in range(form.words):
        while True:
            space = buffer.find(b" ", position)
            if 0 <= space < len(buffer) - width:
                break
            if len(buffer) - position > LONGEST_WORD + width:
                raise SentexpError(f"{source.called}: word {count + 1} has no end (is the file damaged?)")
            chunk = source.stream.read(BUFFER)
            if not chunk:
                _check_count(count, source, form)
            buffer, position = buffer[position:] + chunk, 0
            if progress is not None:
                progress(source.done(), source.total, f"reading {source.called}")
        word = buffer[position:space].lstrip(b"\n")  # some writers end a row with a line feed
        position = space + 1 + width
        if word in missing:
            row = np.frombuffer(buffer, "<f4", form.dim, space + 1).astype(np.float32)
            if not np.isfinite(row).all():
                raise SentexpError(f"{source.called}: word {count + 1} holds a number that is not finite")
            index[missing.pop(word)] = len(rows)
            rows.append(row)
    rest = buffer[position:]
    while rest or (rest := source.stream.read(BUFFER)):
        if rest.strip():
            raise SentexpError(
                f"{source.called}: holds more than the {form.words:,} words that its first line promises"
            )
        rest = b""
    return Vectors(index, np.stack(rows) if rows else np.empty((0, form.dim), np.float32))


def _check_count(count: int, source: Source, form: VectorFormat) -> None:
    if form.words is not None and count != form.words:
        hint = " (is the file cut short?)" if count < form.words else ""
        raise SentexpError(f"{source.called}: holds {count:,} words where its first line promises {form.words:,}{hint}")
