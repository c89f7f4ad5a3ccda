from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentexp.errors import SentexpError
from sentexp.locks import held

HOLDS = """
import sys
from pathlib import Path
from sentexp.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """A process that holds tmp_path / "lock" until a line reaches it."""
    arguments = [sys.executable, "-c", HOLDS, str(tmp_path / "lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_that_another_process_holds_is_refused_with_the_given_words(holder, tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match=r"^in use$"), held(tmp_path / "lock", refused="in use"):
        raise AssertionError("it was held by two")
    assert (tmp_path / "lock").exists()  # it is the other's


def test_it_is_waited_for_and_this_is_said(holder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Ends(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            holder.communicate("\n")

    logger, handler = logging.getLogger("sentexp.locks"), Ends()
    caplog.set_level(logging.INFO, logger="sentexp")
    logger.addHandler(handler)
    try:
        with held(tmp_path / "lock", waiting="waiting for the other"):
            assert holder.poll() == 0
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in caplog.records] == ["waiting for the other"]


def test_that_of_a_killed_process_is_free(holder, tmp_path: Path) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with held(tmp_path / "lock", refused="in use"):
        pass


def test_two_blocks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    with held(tmp_path / "lock"), pytest.raises(SentexpError, match="in use"):
        held(tmp_path / "lock", refused="in use").__enter__()
    with held(tmp_path / "lock", refused="in use"):
        pass


def test_one_for_which_nobody_waits_leaves_no_file(tmp_path: Path) -> None:
    for refused, left in ((None, ["lock"]), ("in use", [])):
        with pytest.raises(ZeroDivisionError), held(tmp_path / "lock", refused=refused):
            raise ZeroDivisionError
        assert [path.name for path in tmp_path.iterdir()] == left
