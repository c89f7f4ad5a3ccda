"""Keeps parsed vectors: one small cache file per file of word vectors, which grows with the words that are wanted.

Why not one cache file per vocabulary: sweeps over seeds, cleaning or vocabulary size want nearly the same words, and
the source is read again only for words that were never wanted before. Why not the whole source as a matrix: a run needs
1 to 5 % of it, so converting all of it would cost gigabytes of disk and more time than the reading it saves (the
numbers of unwanted words are never converted).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from sentexp.atomic import whole_file
from sentexp.checksums import is_sealed, seal
from sentexp.embedding import vectors
from sentexp.embedding.vectors import Vectors
from sentexp.errors import SentexpError
from sentexp.locks import held
from sentexp.terminal import ProgressCallback

log = logging.getLogger(__name__)

VERSION = 2
"""Version of the cache files and of the parser; files of another version are never opened."""


def vectors_of(
    path: Path, wanted: Iterable[str], dim: int, cache_dir: Path, progress: ProgressCallback | None = None
) -> Vectors:
    """Read vectors as `vectors.read` does, through the cache in `cache_dir`; may return more words than `wanted`.

    A cache file belongs to the path, size, modification time and dimension of its source. It is replaced as a whole, so
    a reader sees the old one or the new one. Of processes that need the same source at once, one parses it while the
    others wait.
    """
    words = set(wanted)
    entry = _entry(path, dim, cache_dir)
    known, found = _load(entry)
    if words <= known:
        return found
    with ExitStack() as stack:
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(Path(f"{entry}.lock")))
        except OSError as error:
            raise SentexpError(f"cache_dir={cache_dir}: cannot be written ({error.strerror})") from error
        known, found = _load(entry)
        if not words <= known:
            known |= words
            found = vectors.read(path, known, dim, progress)
            _save(entry, known, found)
        return found


def _entry(path: Path, dim: int, cache_dir: Path) -> Path:
    source = path.resolve()
    try:
        state = source.stat()
    except OSError as error:
        raise SentexpError(f"embedding.path={path}: cannot be read ({error.strerror})") from error
    identity = json.dumps([VERSION, str(source), state.st_size, state.st_mtime_ns, dim])
    return cache_dir / "vectors" / f"{source.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"


def _load(entry: Path) -> tuple[set[str], Vectors]:
    """Return the words wanted so far, found or not, and the vectors of those found."""
    nothing: tuple[set[str], Vectors] = set(), Vectors({}, np.empty((0, 0), np.float32))
    if not entry.exists():
        return nothing
    try:
        if not is_sealed(entry):
            raise ValueError("not as written")
        with np.load(entry, allow_pickle=False) as arrays:
            known = json.loads(arrays["asked"].tobytes())
            index = {known[number]: row for row, number in enumerate(arrays["found"].tolist())}
            return set(known), Vectors(index, arrays["rows"])
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be read (%s); reading the word vectors anew", entry, error)
        with suppress(OSError):  # so that it is told once
            entry.unlink()
        return nothing


def _save(entry: Path, known: set[str], found: Vectors) -> None:
    words = sorted(known)
    number = {word: position for position, word in enumerate(words)}
    try:
        with whole_file(entry) as unfinished:
            np.savez(
                unfinished,
                asked=np.frombuffer(json.dumps(words).encode(), np.uint8),
                found=np.array([number[word] for word in found.index], np.int64),
                rows=found.rows,
            )
            seal(unfinished)
    except OSError as error:
        raise SentexpError(f"cache_dir={entry.parent.parent}: cannot be written ({error.strerror})") from error
