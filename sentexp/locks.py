"""Files as locks between processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sentexp.errors import SentexpError

log = logging.getLogger(__name__)


@contextmanager
def held(file: Path, *, waiting: str | None = None, refused: str | None = None) -> Iterator[None]:
    """Hold the lock `file` inside the block; it is free again once its process has ended, however it ended.

    If another process, or another block of this one, holds it, wait, and log `waiting` first; or raise
    SentexpError(refused) at once. A lock for which nobody waits, one with `refused`, is removed afterwards.

    Raises OSError if the file cannot be written, NotImplementedError where the file system has no locks.
    """
    lock = FileLock(file, thread_local=False)  # another thread may end the block
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if refused is not None:
            raise SentexpError(refused) from None
        if waiting is not None:
            log.info(waiting)
        lock.acquire()
    try:
        yield
    finally:
        if refused is not None:
            with suppress(OSError):
                file.unlink()  # while it is held: it would be another process's afterwards
        lock.release()
