from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentexp.machine.children import RememberingContext, how_it_ended


@pytest.mark.parametrize(
    ("exitcode", "said"),
    [
        (0, "ended with status 0"),
        (3, "ended with status 3"),
        (-signal.SIGTERM, "was ended by SIGTERM"),
        (-signal.SIGKILL, "was ended by SIGKILL (out of memory?)"),
    ],
)
def test_how_a_process_ended(exitcode, said):
    assert how_it_ended(exitcode) == said


def test_started_processes_are_remembered_and_can_be_ended():
    context = RememberingContext()
    child = context.Process(target=time.sleep, args=(600,))
    child.start()
    assert context.started == [child]
    context.terminate()
    child.join(60)
    assert child.exitcode == -signal.SIGTERM


def test_those_that_end_by_themselves_may_and_the_others_are_ended():
    context = RememberingContext()
    quick, slow = (context.Process(target=time.sleep, args=(seconds,)) for seconds in (0, 600))
    for child in (quick, slow):
        child.start()
    quick.join(60)
    began = time.monotonic()
    context.end(0.5)
    slow.join(60)
    assert (quick.exitcode, slow.exitcode) == (0, -signal.SIGTERM)
    assert time.monotonic() - began >= 0.5


PARENT = """
import time
from multiprocessing import get_context
from child import wait

if __name__ == "__main__":
    child = get_context("spawn").Process(target=wait, daemon=True)
    child.start()
    time.sleep(600)
"""

CHILD = """
import os, time
from pathlib import Path
from sentexp.machine.children import end_with_parent

def wait():
    end_with_parent()
    Path("child.tmp").write_text(str(os.getpid()))
    os.replace("child.tmp", "child.pid")
    time.sleep(600)
"""


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "child.py").write_text(CHILD)
    path = os.pathsep.join(entry for entry in [str(tmp_path), *sys.path] if entry)
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path})
    try:
        child = int(_eventually(lambda: (tmp_path / "child.pid").read_text()))
    finally:
        parent.kill()
        parent.wait()
    assert _eventually(lambda: not _lives(child))


def _eventually(find):
    """Return what `find` finds, once it finds something; fail after a minute."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if found := find():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # a dead child that nobody waits for keeps its number
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
