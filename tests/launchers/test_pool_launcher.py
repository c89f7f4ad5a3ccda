from __future__ import annotations

import pytest
from driving import gone
from hydra import compose, initialize_config_dir

from sentexp.config import conf_dir
from sentexp.machine.cores import available_cores

pytest.importorskip("cloudpickle", reason="needs the extra pool")


def test_workers_stay_from_one_job_to_the_next_and_a_dead_one_is_replaced(drive):
    jobs = ["do=where", "do=where", "do=where", "do=kill", "do=where"]
    returns = drive("hydra/launcher=pool", "hydra.launcher.n_jobs=1", *jobs).returns()
    pids = [told["pid"] for status, told, *_ in returns if status == "COMPLETED"]
    assert len(pids) == 4
    assert len(set(pids[:3])) == 1
    assert pids[3] != pids[0]


def test_workers_end_with_the_driver(drive):
    returns = drive("hydra/launcher=pool", "do=where", "do=where").returns()
    assert gone([told["pid"] for _, told, *_ in returns], within=30)


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_cores_are_shared_out_and_threads_pinned_before_anything_numeric_is_imported(drive, n_jobs, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # as the driver is started
    cores, _ = available_cores()
    driver = drive("hydra/launcher=pool", f"hydra.launcher.n_jobs={n_jobs}", "do=where")
    [(_, told, *_)] = driver.returns()
    assert told["threads"] == str(max(1, cores // n_jobs) if n_jobs > 0 else 1)
    assert not told["numpy"]


def test_a_number_of_workers_that_cannot_be_is_refused(drive):
    driver = drive("hydra/launcher=pool", "hydra.launcher.n_jobs=0", "do=1")
    _, err = driver.process.communicate(timeout=60)
    assert err == "hydra.launcher.n_jobs=0: expected a number from 1, or -1 for one per core\n"


@pytest.mark.parametrize("n_jobs", [-1, 2])
def test_joblib_is_another_name_for_pool(n_jobs):
    chosen = {}
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for name in ("pool", "joblib"):
            overrides = [f"hydra/launcher={name}", *([] if n_jobs == -1 else [f"hydra.launcher.n_jobs={n_jobs}"])]
            chosen[name] = compose("config", overrides=overrides, return_hydra_config=True).hydra
    assert chosen["joblib"].launcher == chosen["pool"].launcher
    assert chosen["joblib"].launcher._target_.endswith(".PoolLauncher")
    assert chosen["joblib"].launcher.n_jobs == n_jobs
    for name, hydra in chosen.items():  # messages and records name what was typed
        assert hydra.runtime.choices["hydra/launcher"] == name


def test_joblib_runs_the_pool(drive):
    returns = drive("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "do=where", "do=where", "do=3").returns()
    assert returns[2][:2] == ("COMPLETED", 30)
    assert returns[0][1]["pid"] == returns[1][1]["pid"]


@pytest.mark.slow
def test_a_pool_outlives_many_deaths(drive):
    returns = drive("hydra/launcher=pool", "hydra.launcher.n_jobs=4", *["do=exit", "do=kill", "do=1"] * 8).returns()
    assert [status for status, *_ in returns] == ["FAILED", "FAILED", "COMPLETED"] * 8
