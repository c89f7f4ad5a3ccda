"""Files of a folder that belong together: their digests in one file beside them, and what differs from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sentexp.atomic import whole_file

BLOCK = 1 << 20


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


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and digest_of(path) == digest


def digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
