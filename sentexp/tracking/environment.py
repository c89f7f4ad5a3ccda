"""The environment of a run: the code's commit, library versions, hardware, command line."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sentexp
from sentexp.redact import without_passwords

LIBRARIES = ("torch", "hydra-core", "omegaconf", "datasets", "spacy", "mlflow", "numpy", "scikit-learn")


def program() -> str:
    """Return the name of the program that was started: sentexp, however it was called, or that of a script."""
    name = Path(sys.argv[0]).name
    return "sentexp" if name == "__main__.py" else name


def describe() -> dict[str, Any]:
    """Describe the environment of this process as JSON-able values; none depends on time, so equal set-ups are equal.

    `git` is the state of the checkout that sentexp is imported from, or else of the current folder; outside of git its
    commit is None. `memory_gib` is the memory of the whole machine. Takes about 20 ms.
    """
    here = {"hardware": hardware(), "platform": platform.platform(), "hostname": socket.gethostname()}
    return describe_program() | here


def describe_program() -> dict[str, Any]:
    """Describe what was started, wherever it runs: the part of `describe` that needs no torch."""
    return {
        "git": git_state(_project_folder()),
        "versions": {
            "sentexp": sentexp.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in LIBRARIES},
        },
        "command": shlex.join([program(), *without_passwords(sys.argv[1:])]),
        "folder": os.getcwd(),
    }


def log_file(folder: Path) -> Path | None:
    """Return the file in `folder` that this process's log goes to; None if there is none."""
    files = [Path(one.baseFilename) for one in logging.getLogger().handlers if isinstance(one, logging.FileHandler)]
    return next((file for file in files if file.parent == folder.absolute()), None)


def git_state(folder: Path) -> dict[str, Any]:
    """Return commit, dirty (uncommitted changes or new files) and branch of the checkout that holds `folder`.

    The commit is None outside of git and before the first commit.
    """
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None, "branch": None}
    changes = _git(folder, "status", "--porcelain")
    branch = _git(folder, "branch", "--show-current")
    return {"commit": commit, "dirty": None if changes is None else bool(changes), "branch": branch or None}


def hardware() -> dict[str, Any]:
    """Return processor, cores, memory and GPUs of this machine; `usable_cpus` are those that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "usable_cpus": usable,
        "memory_gib": _memory_gib(),
        "gpus": _gpu_names(),
    }


def _project_folder() -> Path:
    package = Path(sentexp.__file__).resolve().parent
    # why ls-files: a site-packages folder may lie inside the checkout of another project, whose commit is not ours
    tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py") is not None
    return package if tracked else Path.cwd()


def _git(folder: Path, *arguments: str) -> str | None:
    # why no locks: reading the state must not get in the way of the user's own git
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, no checkout, no answer
        return None
    return done.stdout.strip()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _gpu_names() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
