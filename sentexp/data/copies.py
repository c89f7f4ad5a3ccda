"""The folder where copies of the user's reviews lie."""

from __future__ import annotations

import os
from pathlib import Path

from sentexp.errors import SentexpError

CACHE_DIR, COPIES = "~/.cache/sentexp", "reviews"
"""The default of the key cache_dir, and the folder of copies in it."""


def copies_folder(cache_dir: Path | str) -> Path:
    """Return the folder under `cache_dir`, made if it was not there.

    Raises SentexpError that names the key if it cannot be written.
    """
    folder = Path(cache_dir).expanduser() / COPIES
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(0, "permission denied")
    except OSError as error:
        raise SentexpError(
            f"cache_dir={cache_dir}: cannot be written ({error.strerror}); expected a folder that you may write to"
        ) from error
    return folder
