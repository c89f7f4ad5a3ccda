"""Opens a file of word vectors as one stream of bytes, whether it is plain, gzipped or in a zip archive."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from sentexp.errors import SentexpError, one_line

BUFFER = 1 << 20  # bytes


@dataclass
class Source:
    """An opened file of word vectors, unpacked."""

    stream: BinaryIO
    called: str
    """The start of every message about the stream: the file and, in an archive, the member."""
    total: int
    """Bytes on disk, packed."""
    done: Callable[[], int]
    """Returns how many of the `total` bytes have been read."""


@contextmanager
def opened(path: Path, dim: int | None) -> Iterator[Source]:
    """Yield the bytes of `path`, unpacked; from an archive of several files, the one named for `dim` (as in 100d).

    The first bytes tell the kind of file, not its name. Raises SentexpError if the file is missing, cut short or
    damaged (also while it is being read), or if it is not clear which file of an archive is meant.
    """
    called = f"embedding.path={path}"
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise SentexpError(f"{called}: cannot be read ({error.strerror})") from error
        try:
            magic = file.read(4)
            file.seek(0)
            total, start = os.fstat(file.fileno()).st_size, 0
            unpacked: BinaryIO = file
            if magic[:2] == b"\x1f\x8b":
                unpacked = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
            elif magic[:2] == b"PK":
                archive = stack.enter_context(_opened_archive(file, called))
                member = _choose(archive, dim, called)
                unpacked = stack.enter_context(_open_member(archive, member, called))
                called, total, start = f"{called}: {member.filename}", member.compress_size, member.header_offset
            stream = cast(BinaryIO, io.BufferedReader(unpacked, BUFFER))
            yield Source(stream, called, total, lambda: max(0, min(file.tell() - start, total)))
        # OSError: what gzip and bz2 raise for a stream that is none, and a file for a place before its beginning;
        # MemoryError: lzma takes at once what its header asks for
        except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError, MemoryError) as error:
            reason = one_line(error).partition(": ")[2] or one_line(error)
            raise SentexpError(f"{called}: cut short or damaged ({reason}); delete it and fetch it again") from error


def _opened_archive(file: BinaryIO, called: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    # beside BadZipFile: a directory that is cut, names that are no text, versions and sizes that nobody writes
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, OverflowError) as error:
        raise SentexpError(f"{called}: cut short or damaged ({error}); delete it and fetch it again") from error


def _choose(archive: zipfile.ZipFile, dim: int | None, called: str) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.filename.endswith("/") and not member.filename.startswith(("__MACOSX/", "."))
    ]
    if len(members) == 1:
        return members[0]
    if not members:
        raise SentexpError(f"{called}: an archive without a file in it")
    names = ", ".join(member.filename for member in members)
    if dim is None:
        raise SentexpError(f"{called}: which of {names}? expected embedding.dim=NUMBER, or one of them unpacked")
    named = [member for member in members if re.search(rf"(?<!\d){dim}d(?![a-zA-Z0-9])", member.filename)]
    if len(named) != 1:
        count = "none" if not named else "more than one"
        raise SentexpError(f"{called}: {count} of its files ({names}) is named for embedding.dim={dim}")
    return named[0]


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, called: str) -> BinaryIO:
    try:
        return cast(BinaryIO, archive.open(member))
    # a password, or a compression that Python does not know; a header that is cut or has a name that is no text
    except (RuntimeError, NotImplementedError, struct.error, ValueError) as error:
        raise SentexpError(f"{called}: {member.filename} cannot be unpacked ({error}); expected it unpacked") from error
