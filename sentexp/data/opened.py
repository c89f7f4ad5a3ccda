"""Opens files of reviews: plain or compressed, as decoded lines; errors name the line and the byte."""

from __future__ import annotations

import codecs
import errno
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from sentexp.errors import SentexpError, one_line

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zip": "zip"}

UNREADABLE = (OSError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError, MemoryError)
"""What unpacking raises. NotImplementedError: a compression that zipfile does not know, such as Deflate64; MemoryError:
lzma takes at once what its header asks for."""


def ending_of(path: Path) -> str:
    """Return the ending that tells the format, in lower case: `.csv` also for reviews.CSV, reviews.csv.gz and a zip
    file with one csv file in it."""
    if path.suffix.lower() not in COMPRESSIONS:
        return path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    if path.suffix.lower() == ".zip" and not inner:
        with _opened_zip(path) as file:
            inner = Path(file.name).suffix.lower()
    return inner


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, decompressed by its ending: .gz, .bz2, .zst, or a .zip of one file.

    Raises SentexpError for a file that is damaged or a .zip of several files.
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        with path.open("rb") as file:
            yield file
        return
    try:
        if compression == "zip":
            with _opened_zip(path) as inner:
                yield inner
        else:
            with pa.input_stream(str(path), compression=compression) as stream:
                yield io.BufferedReader(stream, 1 << 20)
    except UNREADABLE as error:
        # not there, not to be read: not damaged; but EINVAL is a zip file that names a place before its beginning
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise SentexpError(f"{path}: not a {compression} file that can be read ({one_line(error)})") from error


@contextmanager
def _opened_zip(path: Path) -> Iterator[IO[bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            # macOS adds folders of its own
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(names) != 1:
                raise SentexpError(f"{path}: holds {len(names)} files; expected one, or the files unpacked")
            if archive.getinfo(names[0]).flag_bits & 1:
                raise SentexpError(f"{path}: is encrypted; expected the file unpacked")
            with archive.open(names[0]) as file:
                yield file
    # beside BadZipFile: a directory or header that is cut, names that are no text, sizes that nobody writes
    except (zipfile.BadZipFile, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise SentexpError(f"{path}: not a zip file that can be read ({one_line(error)})") from error


def text_lines(path: Path, encoding: str, *, keep_bytes: bool = False) -> Iterator[str]:
    """Yield the lines of a text file with their ends. Raises SentexpError with the line of a byte not in `encoding`.

    With `keep_bytes` such a byte becomes half of a surrogate pair instead, as Python's surrogateescape makes it.
    """
    codec = _codec(encoding)
    errors = "surrogateescape" if keep_bytes else "strict"
    try:
        with opened(path) as file, io.TextIOWrapper(file, encoding=codec, errors=errors, newline="") as text:
            yield from text
    except UnicodeError:
        line, byte = _undecodable(path, codec)
        raise SentexpError(
            f"{path}:{line}: {byte} is not {encoding}; expected data.encoding=NAME of the file (latin-1, cp1252 ...)"
        ) from None


def _codec(encoding: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # rot13 and zip are codecs too, but none of a text file
        # A byte order mark, as spreadsheets write it, is not part of the first line.
        return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except (LookupError, ValueError):  # ValueError: a name that holds a zero
        raise SentexpError(f"data.encoding={encoding}: no such encoding; expected utf-8, latin-1 ...") from None


def _undecodable(path: Path, codec: str) -> tuple[int, str]:
    """Return the line of the first byte that cannot be decoded, and what is there."""
    decoder, line = codecs.getincrementaldecoder(codec)(), 1
    with opened(path) as file:
        while True:
            block = file.read(1 << 16)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                good = _decoded(error.object[: error.start], codec)
                return line + good.count("\n"), f"byte 0x{error.object[error.start]:02x}"
            except UnicodeError as error:  # utf-16 without its byte order mark
                return line, str(error)
            if not block:
                return line, "a byte"


def _decoded(good: bytes, codec: str) -> str:
    try:
        return good.decode(codec, errors="ignore")
    except UnicodeError:  # idna knows no other way than strict
        return good.decode("latin-1")
