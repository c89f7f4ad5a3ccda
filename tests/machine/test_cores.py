from __future__ import annotations

from sentexp.machine import cores
from sentexp.machine.cores import available_cores


def test_cores_told_by_a_launcher_are_a_bound(monkeypatch):
    monkeypatch.setattr(cores, "_cgroup_quota", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    count, _ = available_cores()
    assert count >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_cores()[0] == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    assert available_cores()[0] == count


def test_a_quota_is_a_bound(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "_cgroup_quota", lambda: 0.5)
    assert available_cores()[0] == 1
