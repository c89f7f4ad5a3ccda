"""Jobs that a killed driver left running, on this machine or on Slurm: found and ended before a sweep is resumed."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from sentexp.errors import SentexpError
from sentexp.machine.identity import has_file_open, process_start
from sentexp.sweep.job_record import JobRecord

log = logging.getLogger(__name__)

FOLDER = ".submitit"
"""Folder inside a sweep's; in it, `local` and `slurm` have one folder per start of a launcher, and that one per job,
named by the job's id there. An earlier version put all jobs together."""

START = "start-"
"""What the name of a start's folder begins with."""

PATIENCE_SECONDS = 10.0

SLURMS_PATIENCE_SECONDS = 120.0
"""Slurm lets a job go on for half a minute after telling it to end."""


class ProcessIdentity(TypedDict):
    host: str
    pid: int
    process_start: str | None


def this_process() -> ProcessIdentity:
    """Return the fields of a JobRecord that name this process."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "process_start": process_start(os.getpid())}


def kill(jobs: Iterable[JobRecord], sweep: Path) -> None:
    """Kill the processes of the jobs that still run on this machine, and wait until they are gone.

    A process that merely has the number of one that ended is left alone, and so is one without an open file in the
    sweep's folder, where each job holds its output folder: the records may be anyone's.
    """
    killed = []
    for job in jobs:
        if job.state != "running" or job.host != socket.gethostname() or job.pid in (None, os.getpid()):
            continue
        if job.process_start is None or process_start(job.pid) != job.process_start:
            continue
        if has_file_open(job.pid, sweep):
            with contextlib.suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGKILL)
                killed.append((job.pid, job.process_start))
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and any(process_start(pid) == start for pid, start in killed):
        time.sleep(0.05)


def cancel_on_slurm(sweep: Path, name: str) -> None:
    """Cancel the jobs called `name` of the sweep that wait or run on Slurm, and wait until they are gone.

    Raises SentexpError if that cannot be done: their work would be done twice.
    """
    folder = sweep / FOLDER / "slurm"
    found = [*folder.glob("[0-9]*"), *folder.glob(f"{START}*/[0-9]*")]
    jobs = [path for path in found if path.is_dir() and not any(path.glob("*_result.pkl"))]
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
    """Return the ids of the user's jobs of that name that wait or run; a job array has one id."""
    command = ["squeue", f"--user={os.getuid()}", f"--name={name}", "--noheader", "--format=%F"]
    try:
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    except (OSError, subprocess.CalledProcessError) as error:
        said = " ".join((getattr(error, "stderr", None) or str(error)).split())
        raise SentexpError(
            f"sweep.resume: jobs may still be on Slurm and squeue cannot tell ({said}); expected a machine of that "
            f"cluster, or {folder} removed if none is there"
        ) from error
