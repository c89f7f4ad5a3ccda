"""Jobs that a killed driver has left behind: on this machine, or in the hands of Slurm."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sentexp.errors import SentexpError
from sentexp.sweep.storage import process_start

log = logging.getLogger(__name__)

FOLDER = ".submitit"
"""In a sweep's: under `local` and `slurm`, a folder for each job, called by its number there."""

PATIENCE_SECONDS = 10.0

SLURMS_PATIENCE_SECONDS = 120.0
"""Slurm itself lets a job go on for half a minute after it has told it to end."""


def kill(entries: Iterable[Mapping[str, Any]]) -> None:
    """Ends the processes of jobs that are said to run here, and waits until they are gone.

    A process that has got the number of a dead one since is left alone.
    """
    killed = []
    for entry in entries:
        if entry["state"] != "running" or entry["host"] != socket.gethostname() or entry["pid"] == os.getpid():
            continue
        if entry["process_start"] is not None and process_start(entry["pid"]) == entry["process_start"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry["pid"], signal.SIGKILL)
                killed.append(entry)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and any(process_start(one["pid"]) == one["process_start"] for one in killed):
        time.sleep(0.05)


def cancel_on_slurm(sweep: Path, name: str) -> None:
    """Ends the jobs of the sweep, called `name`, that Slurm still runs or is to run, and waits until they are gone.

    Raises SentexpError if that cannot be done: what they run would be run twice.
    """
    folder = sweep / FOLDER / "slurm"
    jobs = [path for path in folder.glob("*") if path.is_dir() and not any(path.glob("*_result.pkl"))]
    if not jobs:
        return
    begun = {path.name.partition("_")[0] for path in jobs}
    left = sorted(begun & _on_slurm(folder, name))
    if left:
        log.info("ending what an earlier driver has left on Slurm: %s", " ".join(left))
        subprocess.run(["scancel", *left], capture_output=True, check=False)  # one that has ended meanwhile is an error
    until = time.monotonic() + SLURMS_PATIENCE_SECONDS
    while left := sorted(begun & _on_slurm(folder, name)):
        if time.monotonic() > until:
            raise SentexpError(f"sweep.resume={sweep}: Slurm's jobs {' '.join(left)} do not end; expected them gone")
        time.sleep(1)


def _on_slurm(folder: Path, name: str) -> set[str]:
    """The user's jobs of that name that wait or run, an array as one."""
    command = ["squeue", f"--user={os.getuid()}", f"--name={name}", "--noheader", "--format=%F"]
    try:
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    except (OSError, subprocess.CalledProcessError) as error:
        said = " ".join((getattr(error, "stderr", None) or str(error)).split())
        raise SentexpError(
            f"sweep.resume: jobs may still be on Slurm and squeue cannot tell ({said}); expected a machine of that "
            f"cluster, or {folder} removed if none is there"
        ) from error
