"""How many of the machine's cores this process may use. Imports nothing heavy: launchers need it before torch."""

from __future__ import annotations

import os
from pathlib import Path

from sentexp.errors import SentexpError

NUMERIC_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
"""Each reads the variable NAME_NUM_THREADS once, when it is imported."""


def available_cores() -> tuple[int, str]:
    """Return how many physical cores this process may use, and what bounds them, as in `4 physical cores`.

    Bounds are its CPU affinity, the quota of its control group, and OMP_NUM_THREADS, with which launchers such as
    pool and ray give a process its share of the machine.
    """
    if hasattr(os, "sched_getaffinity"):
        cpus = os.sched_getaffinity(0)
        bounds = {"physical cores": len({_siblings(cpu) for cpu in cpus})}
    else:
        bounds = {"processors": os.cpu_count() or 1}
    quota = _cgroup_quota()
    if quota is not None:
        bounds["by the control group's quota"] = max(1, int(quota))
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads):
        bounds["by OMP_NUM_THREADS"] = int(threads)
    by, cores = min(bounds.items(), key=lambda bound: bound[1])
    return cores, f"{cores} {by}"


def share_cores(n_jobs: int) -> tuple[int, dict[str, str]]:
    """Return how many jobs run side by side here, and the environment in which each keeps to its share of the cores.

    n_jobs=-1 is one job per core. Raises SentexpError for other numbers below 1.
    """
    if n_jobs < 1 and n_jobs != -1:
        raise SentexpError(f"hydra.launcher.n_jobs={n_jobs}: expected a number from 1, or -1 for one per core")
    cores, _ = available_cores()
    width = cores if n_jobs == -1 else n_jobs
    return width, thread_limits(max(1, cores // width))


def thread_limits(count: int) -> dict[str, str]:
    """Return the environment that holds numeric libraries to `count` threads, if set before they are imported."""
    return {f"{name}_NUM_THREADS": str(count) for name in NUMERIC_LIBRARIES}


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)


def _cgroup_quota() -> float | None:
    """Return the number of processors whose time the control group (version 2) grants; None for no limit."""
    try:
        own = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
    except OSError:
        return None
    quotas = []
    for group in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup") / own.strip("/")):
        try:
            most, period = (group / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if most != "max":
            quotas.append(int(most) / int(period))
    return min(quotas, default=None)
