"""Tells whether files are as they were written.

A model's files have their SHA-256 in a file beside them, since folders of models travel. Copies in a cache, which are
looked at by every run, have a checksum that is quicker than reading them from disk; it finds damage, not intent.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import xxhash

from sentexp.atomic import whole_file

BLOCK = 1 << 20

SEAL_BYTES = 16
"""Bytes at the end of a sealed file: the checksum of all that stands before them."""


def write_checksums(path: Path, names: Iterable[str], **facts: Any) -> None:
    """Write the SHA-256 of each named file in the folder of `path` to `path`, as JSON, beside further facts."""
    digests = {name: digest_of(path.parent / name) for name in names}
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps({**facts, "sha256": digests}, indent=1) + "\n", encoding="utf-8")


def read_checksums(path: Path) -> dict[str, Any]:
    """Return what `write_checksums` wrote. Raises ValueError for anything else."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), dict):
        raise ValueError("no checksums")
    return found


def altered(folder: Path, sha256: dict[str, str]) -> list[str]:
    """Return the names of the files in `folder` whose content has another digest, or that are not there."""
    return [name for name, digest in sha256.items() if not _is(folder / name, digest)]


def quick_checksum(content: bytes = b"") -> xxhash.xxh3_128:
    """Return the checksum for files of a cache, which can be updated with more content."""
    return xxhash.xxh3_128(content)


def quick_checksum_of(path: Path) -> str:
    """Return the checksum of a file in hexadecimal digits; raises OSError as reading does."""
    with path.open("rb") as file:
        return _updated(quick_checksum(), file).hexdigest()


def seal(path: Path) -> None:
    """Append its checksum to a file whose format has an end, such as an Arrow stream or a zip archive."""
    with path.open("r+b") as file:
        digest = _updated(quick_checksum(), file).digest()
        file.write(digest)


def is_sealed(path: Path) -> bool:
    """Return False unless the file is as it was when it was sealed; raises OSError as reading does."""
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size - SEAL_BYTES
        return length >= 0 and _updated(quick_checksum(), file, length).digest() == file.read()


def _updated(checksum: Any, file: IO[bytes], length: int | None = None) -> Any:
    """Update `checksum` with the next `length` bytes of the file, all if None, and return it."""
    while block := file.read(BLOCK if length is None else min(BLOCK, length)):
        checksum.update(block)
        if length is not None:
            length -= len(block)
    return checksum


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and digest_of(path) == digest


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return _updated(hashlib.sha256(), file).hexdigest()
