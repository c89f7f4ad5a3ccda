"""How many of the machine's cores are for this process. Nothing heavy is imported: launchers ask before torch is."""

from __future__ import annotations

import os
from pathlib import Path


def available_cores() -> tuple[int, str]:
    """Physical cores that this process may use, and what says so.

    By affinity, by the quota of its control group, and by OMP_NUM_THREADS, with which launchers such as
    joblib and Ray tell a process its part of the machine.
    """
    if hasattr(os, "sched_getaffinity"):
        cpus = os.sched_getaffinity(0)
        bounds = {"physical cores": len({_siblings(cpu) for cpu in cpus})}
    else:
        bounds = {"processors": os.cpu_count() or 1}
    quota = _cgroup_quota()
    if quota is not None:
        bounds["by the control group's quota"] = max(1, int(quota))
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        bounds["by OMP_NUM_THREADS"] = int(told)
    by, cores = min(bounds.items(), key=lambda bound: bound[1])
    return cores, f"{cores} {by}"


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)


def _cgroup_quota() -> float | None:
    """Processors' worth of time that the control group (version 2) leaves this process; None for no limit."""
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
