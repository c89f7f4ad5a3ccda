"""Vectors parsed once and kept: a small file for each file of vectors, that grows with the words asked of it.

Why not one entry a vocabulary: sweeps over seeds, cleaning or vocabulary size ask for much the same words, and only
words that were never asked before make the source be read again. Why not the whole source as a matrix: a run needs 1 to
5 % of it, so converting all of it would cost gigabytes of disk and longer than the reading it saves (numbers of words
nobody wants are never parsed).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from filelock import FileLock

from sentexp.embedding import vectors
from sentexp.embedding.vectors import Progress, Vectors
from sentexp.errors import SentexpError

log = logging.getLogger(__name__)

VERSION = 1  # of the entries and of the parser; another one never meets the files of this one


def vectors_of(
    path: Path, wanted: Iterable[str], dim: int, cache_dir: Path, progress: Progress | None = None
) -> Vectors:
    """As `vectors.read`, through the cache in `cache_dir`; may hold more words than `wanted`.

    An entry belongs to the source's place, size, time of change and dimension. It is replaced as a whole, so a reader
    sees the old or the new one; who would parse the same source at once waits and finds it done.
    """
    words = set(wanted)
    entry = _entry(path, dim, cache_dir)
    asked, held = _load(entry)
    if words <= asked:
        return held
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{entry}.lock")
        lock.acquire()
    except OSError as error:
        raise SentexpError(f"cache_dir={cache_dir}: cannot be written ({error.strerror})") from error
    try:
        asked, held = _load(entry)
        if not words <= asked:
            asked |= words
            held = vectors.read(path, asked, dim, progress)
            _save(entry, asked, held)
        return held
    finally:
        lock.release()


def _entry(path: Path, dim: int, cache_dir: Path) -> Path:
    source = path.resolve()
    try:
        state = source.stat()
    except OSError as error:
        raise SentexpError(f"embedding.path={path}: cannot be read ({error.strerror})") from error
    identity = json.dumps([VERSION, str(source), state.st_size, state.st_mtime_ns, dim])
    return cache_dir / "vectors" / f"{source.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"


def _load(entry: Path) -> tuple[set[str], Vectors]:
    """The words asked so far, found or not, and the vectors of those found."""
    nothing: tuple[set[str], Vectors] = set(), Vectors({}, np.empty((0, 0), np.float32))
    if not entry.exists():
        return nothing
    try:
        with np.load(entry, allow_pickle=False) as arrays:
            asked = json.loads(arrays["asked"].tobytes())
            index = {asked[number]: row for row, number in enumerate(arrays["found"].tolist())}
            return set(asked), Vectors(index, arrays["rows"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s: cannot be read (%s); reading the word vectors anew", entry, error)
        return nothing


def _save(entry: Path, asked: set[str], held: Vectors) -> None:
    words = sorted(asked)
    number = {word: position for position, word in enumerate(words)}
    # named by process although under the lock: some network file systems do not lock
    unfinished = entry.with_name(f"{entry.name}.{os.getpid()}.tmp")
    try:
        with open(unfinished, "wb") as file:
            np.savez(
                file,
                asked=np.frombuffer(json.dumps(words).encode(), np.uint8),
                found=np.array([number[word] for word in held.index], np.int64),
                rows=held.rows,
            )
        os.replace(unfinished, entry)
    except OSError as error:
        raise SentexpError(f"cache_dir={entry.parent.parent}: cannot be written ({error.strerror})") from error
    finally:
        unfinished.unlink(missing_ok=True)
