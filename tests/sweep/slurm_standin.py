"""A Slurm for tests, as far as submitit uses it: `slurm_standin.py sbatch|srun|squeue|sacct|scancel ...`.

Jobs are processes of this machine that outlive whoever has submitted them. What is known of the task T of the job J
lies in the folder that STANDIN_SLURM names, under J_T: its state and, while it runs, the process group that it has.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["STANDIN_SLURM"])


def sbatch(script: str) -> None:
    text = Path(script).read_text()
    array = re.search(r"^#SBATCH --array=0-(\d+)%(\d+)$", text, re.MULTILINE)
    last, at_once = (int(array[1]), int(array[2])) if array else (0, 1)
    FOLDER.mkdir(exist_ok=True)
    job = 100 + len(list(FOLDER.glob("*.sh")))
    (FOLDER / f"{job}.sh").write_text(text)
    tasks = [f"{job}_{task}" for task in range(last + 1)] if array else [str(job)]
    for task in tasks:
        (FOLDER / task).write_text("PENDING")
    print(f"Submitted batch job {job}")
    sys.stdout.flush()
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    _control(job, tasks, at_once)


def _control(job: int, tasks: list[str], at_once: int) -> None:
    """What Slurm's own daemon does: starts the tasks and notes their ends."""
    waiting, running = list(tasks), dict[str, subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < at_once:
            task = waiting.pop(0)
            if (FOLDER / task).read_text() == "PENDING":
                place = {"ARRAY_JOB_ID": str(job), "ARRAY_TASK_ID": task.partition("_")[2]} if "_" in task else {}
                told = {"JOB_ID": str(job), "NTASKS": "1", "JOB_NUM_NODES": "1", "NODEID": "0", "PROCID": "0"}
                told |= {"LOCALID": "0"} | place
                environment = os.environ | {f"SLURM_{name}": value for name, value in told.items()}
                command = ["bash", str(FOLDER / f"{job}.sh")]
                running[task] = subprocess.Popen(command, env=environment, start_new_session=True)
                (FOLDER / task).write_text(f"RUNNING {running[task].pid}")
        for task, process in list(running.items()):
            status = process.poll()
            if status is not None:
                del running[task]
                cancelled = (FOLDER / task).read_text().startswith("CANCELLED")
                (FOLDER / task).write_text("CANCELLED" if cancelled else "COMPLETED" if status == 0 else "FAILED")
        time.sleep(0.05)


def srun(*arguments: str) -> None:
    options = dict(zip(arguments[1:5:2], arguments[2:6:2], strict=True))  # behind --unbuffered
    for descriptor, option in ((1, "--output"), (2, "--error")):
        path = options[option].replace("%t", "0").replace("%j", os.environ["SLURM_JOB_ID"])
        path = path.replace("%A", os.environ.get("SLURM_ARRAY_JOB_ID", ""))
        path = path.replace("%a", os.environ.get("SLURM_ARRAY_TASK_ID", ""))
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.execvp(arguments[5], arguments[5:])


def squeue(*arguments: str) -> None:
    (name,) = (argument.removeprefix("--name=") for argument in arguments if argument.startswith("--name="))
    for path in FOLDER.glob("*[0-9]"):
        state, _, group = path.read_text().partition(" ")
        job = path.name.partition("_")[0]
        if (state == "PENDING" or group) and f"--job-name={name}\n" in (FOLDER / f"{job}.sh").read_text():
            print(job)


def sacct(*arguments: str) -> None:
    print("JobID|State|NodeList")
    for job in arguments[arguments.index("-j") + 1 :: 2]:
        for path in _tasks(job):
            print(f"{path.name}|{path.read_text().partition(' ')[0]}|here")


def scancel(*jobs: str) -> None:
    for path in [path for job in jobs for path in _tasks(job)]:
        state, _, group = path.read_text().partition(" ")
        if state in ("PENDING", "RUNNING"):
            path.write_text(f"CANCELLED {group}".strip())
        if state == "RUNNING":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(group), signal.SIGTERM)


def _tasks(job: str) -> list[Path]:
    return sorted(path for path in FOLDER.glob(f"{job}*") if re.fullmatch(rf"{job}(_\d+)?", path.name))


if __name__ == "__main__":
    commands = {"sbatch": sbatch, "srun": srun, "squeue": squeue, "sacct": sacct, "scancel": scancel}
    commands[sys.argv[1]](*sys.argv[2:])
