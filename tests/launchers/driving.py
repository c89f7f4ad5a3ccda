"""Starts a driver (see drive.py) in another process, and watches it and its jobs."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

DRIVE = Path(__file__).parent / "drive.py"


def launcher(name: str, *marks: pytest.MarkDecorator) -> Any:
    module = {"pool": "cloudpickle", "ray": "ray"}.get(name, "submitit")
    missing = importlib.util.find_spec(module) is None
    marks += (pytest.mark.skipif(missing, reason=f"{module} is not installed: needs the extra {name}"),)
    return pytest.param(name, marks=marks)


LAUNCHERS = [
    launcher("pool"),
    launcher("submitit_local", pytest.mark.slow),
    launcher("ray", pytest.mark.slow),
]


class Driver:
    """A driver that runs in a folder of its own; see drive.py."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self.folder = folder
        command = [sys.executable, str(DRIVE), *arguments]
        without = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=without | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that a test can send Ctrl-C to all of it, as a terminal does
        )

    def returns(self) -> list[tuple[str, Any, list[str], bool]]:
        """Return (status, value or how it failed, overrides, True if its configurations came along) for each job."""
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, err
        lines = [line for line in out.splitlines() if line.startswith("[")]
        return [tuple(json.loads(line)) for line in lines if line.startswith('["')]

    def workers(self, count: int) -> list[int]:
        """Return the process ids of the jobs that wait, once there are `count` of them."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            found = [int(path.stem) for path in self.folder.glob("*.pid")]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        pytest.fail(f"{count} jobs never ran: {self.process.communicate(timeout=10)}")

    def end(self, number: signal.Signals, *, everywhere: bool = False) -> None:
        (os.killpg if everywhere else os.kill)(self.process.pid, number)


def gone(pids: list[int], within: float) -> bool:
    """Return True if all the processes end in time. One that has ended and waits for its parent counts as ended."""
    deadline = time.monotonic() + within
    while any(_lives(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
