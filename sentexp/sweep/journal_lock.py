"""The lock of a study's journal."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from optuna.storages.journal import JournalFileOpenLock

from sentexp.locks import held


class JournalLock(JournalFileOpenLock):
    """A lock that is free again as soon as its process is killed, and that removes the line which that process began.

    Optuna's own lock stays for 30 seconds after its process was killed, and the half line makes the journal unreadable.
    """

    def __init__(self, journal: str) -> None:
        super().__init__(journal)
        self._journal = journal
        self._held = ExitStack()

    def acquire(self) -> bool:
        self._held.enter_context(held(Path(f"{self._journal}.lock")))
        with open(self._journal, "ab+") as file:
            size = file.tell()
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self._held.close()
