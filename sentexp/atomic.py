"""Files that appear whole or not at all: written under another name, then renamed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a path to write to; at the end of the block it is renamed to `path`, replacing an older file.

    If the block fails, nothing is left and an older file stays as it was. Of two processes that write the same file
    at once, the last to end wins. A `durable` file is on the disk at the end of the block, also after a power cut.
    Raises OSError as writing and renaming do, with the name of `path`.

        with whole_file(folder / "config.yaml") as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    """
    # hidden, and with the ending of the final name: some libraries choose their format by it
    unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished.{path.name}")
    try:
        yield unfinished
        if durable:
            _to_disk(unfinished)
        os.replace(unfinished, path)
        if durable:
            _to_disk(path.parent)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(unfinished)):  # a full disk has no name by itself
            error.filename = str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
