from __future__ import annotations

import pytest

from sentexp.machine import cores as machine_cores
from sentexp.machine.cores import available_cores, share_cores, thread_limits


def test_cores_told_by_a_launcher_are_a_bound(monkeypatch):
    monkeypatch.setattr(machine_cores, "_cgroup_quota", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    count, _ = available_cores()
    assert count >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_cores()[0] == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    assert available_cores()[0] == count


def test_a_quota_is_a_bound(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine_cores, "_cgroup_quota", lambda: 0.5)
    assert available_cores()[0] == 1


@pytest.mark.parametrize(
    ("cores", "n_jobs", "width", "threads"),
    [(8, -1, 8, 1), (8, 1, 1, 8), (8, 3, 3, 2), (2, 4, 4, 1), (1, -1, 1, 1)],
)
def test_cores_are_shared_out(monkeypatch, cores, n_jobs, width, threads):
    monkeypatch.setattr(machine_cores, "available_cores", lambda: (cores, "as told"))
    assert share_cores(n_jobs) == (width, thread_limits(threads))
