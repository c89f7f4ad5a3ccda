"""Folders for temporary files that no process leaves behind for good."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sentexp.machine.identity import has_ended, process_name

PREFIX, OWNER, CONTENT = "sentexp-", "owner", "content"
"""What the name of such a folder begins with, and what is in it: the process that made it, and the folder to use."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that is removed at the end of the block, however that ends.

    Those of processes that were killed before they could are removed first.
    """
    _remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as outer:
        (Path(outer) / OWNER).write_text(process_name())
        content = Path(outer) / CONTENT
        content.mkdir()
        yield content


def _remove_abandoned() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError):
            if (left / OWNER).is_file() and has_ended((left / OWNER).read_text()):
                shutil.rmtree(left, ignore_errors=True)
