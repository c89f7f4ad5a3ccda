from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sentexp.machine.temporary import temporary_folder

KEEPS = """
import sys
from sentexp.machine.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "file").write_text("much")
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files, here and in the processes that a test starts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def ended_by(number: signal.Signals) -> Path:
    """Return the folder of a process that was ended inside the block."""
    with subprocess.Popen(
        [sys.executable, "-c", KEEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert (folder / "file").read_text() == "much"
        os.kill(process.pid, number)
        process.communicate()
    return folder


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_it_is_empty_and_gone_after_the_block(error: type[BaseException] | None, place: Path) -> None:
    try:
        with temporary_folder() as folder:
            assert list(folder.iterdir()) == []
            (folder / "file").write_text("much")
            assert place in folder.parents
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt) as raised:
        assert type(raised) is error  # noqa: PT017
    assert list(place.iterdir()) == []


def test_that_of_an_interrupted_process_is_gone(place: Path) -> None:
    ended_by(signal.SIGINT)
    assert list(place.iterdir()) == []


def test_that_of_a_killed_process_is_removed_by_the_next_one_and_no_other(place: Path) -> None:
    left = ended_by(signal.SIGKILL)
    assert left.exists()
    (place / "sentexp-someone-elses").mkdir()
    with temporary_folder() as first, temporary_folder() as second:
        assert not left.exists()
        assert first.exists()
        assert second.exists()
    assert [path.name for path in place.iterdir()] == ["sentexp-someone-elses"]
