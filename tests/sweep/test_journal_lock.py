from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from sentexp.sweep.journal_lock import JournalLock


def test_a_line_that_a_killed_process_had_begun_is_removed(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    whole = '{"op": 1}\n'
    for begun, kept in {whole + '{"op_code": 4, "half': whole, '{"half': "", whole: whole}.items():
        journal.write_text(begun)
        lock = JournalLock(str(journal))
        assert lock.acquire()
        lock.release()
        assert journal.read_text() == kept


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = f"""
        import os, signal
        from sentexp.sweep.journal_lock import JournalLock
        JournalLock({str(tmp_path / "study.journal")!r}).acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)]).returncode == -9
    lock = JournalLock(str(tmp_path / "study.journal"))
    assert lock.acquire()
    lock.release()
