"""Which process on which machine: told apart from another one that later has the same number."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

MACHINE_NUMBER = Path("/etc/machine-id")
"""Where Linux keeps a number that no other machine has."""


def process_start(pid: int) -> str | None:
    """Return when a process began, as a text that no other process with the same number has; None if it has ended."""
    try:  # the 22nd field; the second is a name in brackets that may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        if os.path.isdir("/proc/self"):
            return None
    return (
        subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.strip() or None
    )


def has_file_open(pid: int, folder: Path) -> bool:
    """Return True if a process has a file below a folder open; on systems that do not tell, for any process.

    False for a process of another user.
    """
    if not os.path.isdir("/proc/self/fd"):
        return True
    opened: list[Path] = []
    with suppress(OSError):  # it has ended, or closes one just now
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                opened.append(Path(os.readlink(link)))
    return any(folder.resolve() in path.parents for path in opened)


def process_name() -> str:
    """Return a text that no other process has had: machine, process, and when it began."""
    return f"{_machine()} {os.getpid()} {process_start(os.getpid())}"


def has_ended(name: str) -> bool:
    """Return True if the process of this name was one of this machine, and is no more.

    False for one of another machine, of which it is not known, and for a text that is no such name.
    """
    machine, pid, began = [*name.split(" ", 2), "", "", ""][:3]
    return machine == _machine() and pid.isdecimal() and bool(began) and process_start(int(pid)) != began


def _machine() -> str:
    """Return the machine's name and number; in a container also the part of its processes that are seen here.

    The number tells apart machines of one name, such as localhost. Not every system has one.
    """
    number = space = ""
    with suppress(OSError):
        number = MACHINE_NUMBER.read_text().strip()
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()}/{number}/{space}"
