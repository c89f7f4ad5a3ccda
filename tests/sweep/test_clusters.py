"""Whole sweeps on clusters, over a program whose jobs cost nothing."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `clusters`

import clusters

from sentexp.errors import SentexpError
from sentexp.sweep.orphans import cancel_on_slurm

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")
needs_submitit = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="needs the extra submitit")


def until(true: Callable[[], bool], within: float = 60) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
@needs_ray
def test_a_node_of_ray_that_dies_costs_its_own_jobs_alone_and_they_are_run_again(app, monkeypatch) -> None:
    with clusters.ray_cluster(num_cpus=2, monkeypatch=monkeypatch) as cluster:
        where = [f"hydra.launcher.address={cluster.address}", "hydra/launcher=ray"]
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("RAY_AUTH_TOKEN", "0" * 64)
            ended = app("x=1", *where)
        assert (ended.status, "the Ray cluster refuses this driver" in ended.refused) == (2, True), ended.refused
        program = app.start("x=range(0,8)", "sleep=2", *where)
        until(lambda: (app.folder / "ran.txt").exists() and len(app.ran) >= 2)
        cluster.kill_second_node()
        _, refused = program.communicate(timeout=120)
    assert program.returncode == 0, refused
    results = app.results
    assert [(job.number, job.state, job.values) for job in results.jobs] == [
        (x, "finished", (float(x),)) for x in range(8)
    ]
    assert {line.split()[0] for line in app.ran} == {str(x) for x in range(8)}
    assert len(app.ran) <= 8 + 2  # the node had two at a time


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with clusters.slurm(tmp_path, monkeypatch):
        yield ["hydra/launcher=submitit_slurm", "hydra.launcher.array_parallelism=3"]


@pytest.mark.slow
@needs_submitit
def test_a_sweep_on_slurm_fails_and_resumes_like_any_other(app, fates, slurm) -> None:
    ended = app("x=range(0,6)", fates(x1="raise", x2="exit", x4="nan"), *slurm)
    assert ended.status == 1
    failed = {job.number: job.error for job in app.results.jobs if job.state == "failed"}
    assert failed[1] == "RuntimeError: told to raise and to say more"
    assert failed[2].startswith("its process ended without a result (submitit's job 100_2")
    assert failed[4] == "returned nan as best/valid_accuracy"
    assert len(failed) == 3
    app.mend()
    assert app("sweep.resume=latest").status == 0
    assert [line.split()[0] for line in sorted(app.ran[6:])] == ["1", "2", "4"]
    assert {job.state for job in app.results.jobs} == {"finished"}


@pytest.mark.slow
@needs_submitit
def test_ctrl_c_cancels_the_jobs_on_slurm(app, slurm) -> None:
    program = app.start("x=range(0,3)", "sleep=30", *slurm)
    until(lambda: any(app.folder.glob("multirun/*/*/2/app.log")))
    os.kill(program.pid, signal.SIGINT)
    said, _ = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "sweep.resume=" in said.splitlines()[-1]
    until(lambda: {path.read_text() for path in (app.folder / "slurm").glob("100_*")} == {"CANCELLED"})
    assert {job.state for job in app.results.jobs} == {"waiting"}


@pytest.mark.slow
@needs_submitit
def test_no_job_that_a_killed_driver_left_on_slurm_runs_beside_the_one_that_resume_starts(app, slurm) -> None:
    program = app.start("x=range(0,5)", "sleep=3", *slurm)
    until(lambda: all(any(app.folder.glob(f"multirun/*/*/{number}/app.log")) for number in range(3)))
    program.kill()
    program.communicate()
    ended = app("sweep.resume=latest")
    assert ended.status == 0, ended.refused
    assert "ending what an earlier driver has left on Slurm: 100" in ended.said
    assert sorted(app.ran) == [f"{x} 0 0" for x in range(5)]
    assert {job.state for job in app.results.jobs} == {"finished"}


@needs_submitit
@pytest.mark.parametrize("start", ["", "start-1f"])
def test_jobs_on_slurm_that_cannot_be_asked_for_are_a_reason_not_to_resume(tmp_path, monkeypatch, start: str) -> None:
    cancel_on_slurm(tmp_path, "sentexp")  # there is none
    (tmp_path / ".submitit" / "slurm" / start / "100_0").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SentexpError, match=r"squeue cannot tell \(.*\); expected a machine of that cluster, or "):
        cancel_on_slurm(tmp_path, "sentexp")
    (tmp_path / ".submitit" / "slurm" / start / "100_0" / "100_0_0_result.pkl").touch()
    cancel_on_slurm(tmp_path, "sentexp")  # it has ended
