"""Reads the vectors of wanted words from a file, streamed: nothing else of the file is kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sentexp.embedding.container import BUFFER, Source, opened
from sentexp.embedding.dimension import Layout, is_number, layout, numbers_at_end
from sentexp.errors import SentexpError

# Shapes: F words found, E embedding.dim

Progress = Callable[[int, "int | None", str], None]
"""Called with the bytes done, the bytes in all (None where not known) and what is being done."""

LARGEST = float(np.finfo(np.float32).max)
LONGEST_WORD = 10_000  # bytes; beyond that a binary file is out of step
LINES_PER_REPORT = 8192


@dataclass(frozen=True)
class Vectors:
    """`index[word]` is the row of `rows` [F, E], float32."""

    index: dict[str, int]
    rows: np.ndarray


def read(path: Path, wanted: Iterable[str], dim: int | None = None, progress: Progress | None = None) -> Vectors:
    """The vectors of those of the `wanted` words that `path` holds, in the order of the file.

    Text and binary, plain, .gz or .zip. Of a word that comes twice the first vector counts. Words are compared as UTF-8
    bytes, so one that is not UTF-8 is passed over as nobody's. In lines of unwanted words the numbers are counted but,
    for speed, not read.

    Raises SentexpError, with the line where there is one, for a file of another dimension than `dim`, a wrong count of
    numbers, a number of a wanted word that is none or not finite, and a file that is cut short.
    """
    with opened(path, dim) as source:
        shape = layout(source)
        if dim is not None and shape.dim != dim:
            raise SentexpError(
                f"embedding.dim={dim}: {source.called} holds vectors of {shape.dim}; expected embedding.dim={shape.dim}"
            )
        missing = {word.encode("utf-8", "surrogatepass"): word for word in wanted}
        parse = _binary if shape.binary else _text
        return parse(source, shape, missing, progress)


def _text(source: Source, shape: Layout, missing: dict[bytes, str], progress: Progress | None) -> Vectors:
    dim, count = shape.dim, 0
    index: dict[str, int] = {}
    rows: list[np.ndarray] = []
    for number, line in enumerate(source.stream, start=shape.first_row):
        if progress is not None and number % LINES_PER_REPORT == 0:
            progress(source.done(), source.total, f"reading {source.called}")
        line = line.rstrip()
        if not line:
            continue
        count += 1
        # the second way is for a word that holds spaces, for white space other than single spaces, and for mistakes
        plain = line.count(b" ") == dim
        word = line[: line.index(b" ")] if plain else _word_before_numbers(line, number, source, shape)
        if word in missing:
            index[missing.pop(word)] = len(rows)  # popped, so that of a word that comes twice the first counts
            rows.append(_numbers(line.rsplit(None, dim)[-dim:], number, source))
    _check_count(count, source, shape)
    return Vectors(index, np.stack(rows) if rows else np.empty((0, dim), np.float32))


def _word_before_numbers(line: bytes, number: int, source: Source, shape: Layout) -> bytes:
    fields = line.rsplit(None, shape.dim)
    word = fields[0].rstrip()
    if len(fields) != shape.dim + 1 or (len(word.split()) > 1 and is_number(word.split()[-1])):
        found = numbers_at_end(line.split())
        reference = f"line {shape.first_row} has" if shape.words is None else "its first line promises"
        raise SentexpError(
            f"{source.called}: line {number} has {found} numbers where {reference} {shape.dim} (is the file cut short?)"
        )
    return word


def _numbers(fields: list[bytes], number: int, source: Source) -> np.ndarray:
    try:
        row = np.array([float(field) for field in fields])
        if np.abs(row).max() <= LARGEST:  # not so for nan either
            return row.astype(np.float32)
    except ValueError:
        pass
    wrong = next(field for field in fields if not is_number(field) or not abs(float(field)) <= LARGEST)
    shown = wrong.decode("utf-8", "backslashreplace")
    raise SentexpError(f"{source.called}: line {number} holds {shown!r} where a finite number is expected")


def _binary(source: Source, shape: Layout, missing: dict[bytes, str], progress: Progress | None) -> Vectors:
    assert shape.words is not None
    width = 4 * shape.dim
    index: dict[str, int] = {}
    rows: list[np.ndarray] = []
    buffer, position = b"", 0
    for count in range(shape.words):
        while True:
            space = buffer.find(b" ", position)
            if 0 <= space < len(buffer) - width:
                break
            if len(buffer) - position > LONGEST_WORD + width:
                raise SentexpError(f"{source.called}: word {count + 1} has no end (is the file damaged?)")
            chunk = source.stream.read(BUFFER)
            if not chunk:
                _check_count(count, source, shape)
            buffer, position = buffer[position:] + chunk, 0
            if progress is not None:
                progress(source.done(), source.total, f"reading {source.called}")
        word = buffer[position:space].lstrip(b"\n")  # some writers end a row with a line feed
        position = space + 1 + width
        if word in missing:
            row = np.frombuffer(buffer, "<f4", shape.dim, space + 1).astype(np.float32)
            if not np.isfinite(row).all():
                raise SentexpError(f"{source.called}: word {count + 1} holds a number that is not finite")
            index[missing.pop(word)] = len(rows)
            rows.append(row)
    if buffer[position:].strip() or source.stream.read().strip():
        raise SentexpError(f"{source.called}: holds more than the {shape.words:,} words that its first line promises")
    return Vectors(index, np.stack(rows) if rows else np.empty((0, shape.dim), np.float32))


def _check_count(count: int, source: Source, shape: Layout) -> None:
    if shape.words is not None and count != shape.words:
        hint = " (is the file cut short?)" if count < shape.words else ""
        raise SentexpError(
            f"{source.called}: holds {count:,} words where its first line promises {shape.words:,}{hint}"
        )
