"""A cache on disk: one folder of files per entry, named by a key, there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from sentexp.checksums import quick_checksum, quick_checksum_of
from sentexp.errors import SentexpError
from sentexp.locks import held

log = logging.getLogger(__name__)

CONTENT = "content.json"
"""File with the checksums of the entry's other files, facts about it, and a checksum of these two."""

ABANDONED_SECONDS = 2 * 24 * 3600
"""Age from which a draft is taken as left over by a process that was killed."""


def key_of(*what: Any) -> str:
    """Return the name of an entry that depends on `what`, which is anything that JSON can write."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


class Cache:
    """The entries of one kind under `cache_dir`. They may be deleted at any time; mapped files stay readable."""

    def __init__(self, cache_dir: Path, kind: str) -> None:
        self.cache_dir = Path(cache_dir)
        self.folder = self.cache_dir / kind

    def find(self, key: str) -> Path | None:
        """Return the folder of the entry, or None if it is missing or damaged; a damaged one is warned of once."""
        entry = self.folder / key
        try:
            checksums = _read_content(entry)["checksums"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            wrong = [CONTENT]
        else:
            wrong = [name for name, checksum in checksums.items() if not _is_as_written(entry / name, checksum)]
        if wrong:
            self.discard(key, f"{', '.join(wrong)} not as written")
            return None
        return entry

    def discard(self, key: str, why: object) -> None:
        """Make a damaged entry count as missing, and warn."""
        log.warning("%s: damaged (%s); building it anew", self.folder / key, why)
        with suppress(OSError):
            (self.folder / key / CONTENT).unlink(missing_ok=True)

    def facts(self, entry: Path) -> dict[str, Any]:
        return _read_content(entry)["facts"]

    @contextmanager
    def alone(self, keys: Iterable[str]) -> Iterator[None]:
        """Let one process at a time build these entries; others wait, and should look for them again afterwards."""
        with ExitStack() as stack:
            for key in sorted(set(keys)):  # always in the same order, so that no two wait for each other
                # a file system without locks: both processes build, one entry stays
                with self._writing(), suppress(NotImplementedError):
                    self.folder.mkdir(parents=True, exist_ok=True)
                    waiting = "waiting for another process that tokenizes the same reviews"
                    stack.enter_context(held(self.folder / f"{key}.lock", waiting=waiting))
            yield

    @contextmanager
    def new(self, key: str) -> Iterator[Draft]:
        """Yield a draft that becomes the entry at the end of the block, and is removed if the block fails."""
        draft = self.folder / f"{key}.{os.getpid()}-{threading.get_ident()}.unfinished"
        with self._writing():
            self._sweep(key)
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
        writer = Draft(draft, self)
        try:
            yield writer
            with self._writing():
                writer.finish()
                self._publish(draft, key)
        finally:
            with suppress(OSError):  # a full disk was reported when writing
                writer.close()
            shutil.rmtree(draft, ignore_errors=True)

    def _sweep(self, key: str) -> None:
        """Remove drafts of this entry that killed processes have left."""
        for left in self.folder.glob(f"{key}.*.*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(left)

    def _publish(self, draft: Path, key: str) -> None:
        """Rename the draft. If another process was first, its entry stays: it holds the same."""
        entry = self.folder / key
        discarded = draft.with_name(f"{draft.name}.discarded")
        if entry.exists() and self.find(key) is None:
            with suppress(FileNotFoundError):
                os.rename(entry, discarded)
            shutil.rmtree(discarded, ignore_errors=True)
        try:
            os.rename(draft, entry)
        except OSError:
            if not entry.exists():
                raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SentexpError(
                f"cache_dir={self.cache_dir}: cannot be written ({error.strerror or error}); "
                "expected a folder that you may write to, with room on its disk"
            ) from error


class Draft:
    """An entry that is being written."""

    def __init__(self, folder: Path, cache: Cache) -> None:
        self._folder = folder
        self._cache = cache
        self._files: dict[str, Any] = {}
        self._checksums: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        """Stored with the entry; values that JSON can write."""

    def append(self, name: str, data: np.ndarray | bytes) -> None:
        """Append to the file `name` of the entry."""
        with self._cache._writing():
            if name not in self._files:
                self._files[name] = open(self._folder / name, "wb")  # noqa: SIM115  (closed with the draft)
                self._checksums[name] = quick_checksum()
            content = data if isinstance(data, bytes) else data.tobytes()
            self._files[name].write(content)
            self._checksums[name].update(content)

    def finish(self) -> None:
        for file in self._files.values():  # else a power cut could leave files full of zeros
            file.flush()
            os.fsync(file.fileno())
        self.close()
        checksums = {name: checksum.hexdigest() for name, checksum in self._checksums.items()}
        content = {"checksums": checksums, "facts": self.facts}
        (self._folder / CONTENT).write_text(json.dumps([content, _checksum(content)]), encoding="utf-8")

    def close(self) -> None:
        for file in self._files.values():
            if not file.closed:
                file.close()


def _read_content(entry: Path) -> dict[str, Any]:
    """Read CONTENT. Raises OSError as reading does, ValueError and the like if it is not as it was written."""
    content, checksum = json.loads((entry / CONTENT).read_bytes())
    if _checksum(content) != checksum:
        raise ValueError(f"{CONTENT} not as written")
    return content


def _checksum(content: Any) -> str:
    return quick_checksum(json.dumps(content).encode()).hexdigest()


def _is_as_written(file: Path, checksum: str) -> bool:
    try:
        return quick_checksum_of(file) == checksum
    except OSError:
        return False
