"""What holds for every launcher whose jobs have processes of their own."""

from __future__ import annotations

import signal

import pytest
from driving import LAUNCHERS, gone

pytestmark = pytest.mark.parametrize("launcher", LAUNCHERS)


def test_a_job_that_fails_in_any_way_costs_itself_alone(drive, launcher):
    jobs = ["do=1", "do=raise", "do=2", "do=awkward", "do=sys.exit", "do=exit", "do=kill", "nosuch=1", "do=3", "do=4"]
    returns = drive(f"hydra/launcher={launcher}", *jobs).returns()
    assert [overrides for _, _, overrides, _ in returns] == [[job] for job in jobs]  # in the order that was asked for
    outcomes = {job: (status, told) for job, (status, told, *_) in zip(jobs, returns, strict=True)}
    finished = {job: told for job, (status, told) in outcomes.items() if status == "COMPLETED"}
    assert finished == {"do=1": 10, "do=2": 20, "do=3": 30, "do=4": 40}
    assert {status for job, (status, _) in outcomes.items() if job not in finished} == {"FAILED"}
    assert outcomes["do=raise"][1] == "ValueError: raised"
    assert outcomes["do=awkward"][1] == "JobDied: Awkward: awkward"
    assert outcomes["do=sys.exit"][1] == "JobDied: called sys.exit(3)"
    assert outcomes["nosuch=1"][1].startswith("ConfigCompositionException: Could not override 'nosuch'")
    for job in ("do=exit", "do=kill"):
        assert outcomes[job][1].startswith("JobDied: its ")
    assert {job for job, (*_, whole) in zip(jobs, returns, strict=True) if whole} == {"do=raise", *finished}


def test_a_job_runs_in_the_drivers_folder_and_prints_into_its_own(drive, launcher, tmp_path):
    asked = [f"hydra/launcher={launcher}", "do=where", "do=print"]
    returns = drive(*asked, FIRST="7", SENTEXP_CARRIED="from the driver").returns()
    for number, (status, told, *_) in enumerate(returns, start=7):
        assert status == "COMPLETED"
        assert told["cwd"] == str(tmp_path)
        assert told["folder"] == str(tmp_path / "sweep" / str(number))
        assert told["number"] == number
        assert told["carried"] == "from the driver"
    assert (tmp_path / "sweep/7/output.log").read_text() == ""
    assert (tmp_path / "sweep/8/output.log").read_text() == "printed\ncomplained\na child printed\n"


def test_a_killed_driver_leaves_no_job_behind(drive, launcher):
    driver = drive(f"hydra/launcher={launcher}", "do=wait")
    pids = driver.workers(1)
    driver.end(signal.SIGKILL)
    assert gone(pids, within=60)


@pytest.mark.parametrize(("number", "everywhere"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_ctrl_c_and_sigterm_end_the_jobs_in_a_way_that_they_can_record(drive, launcher, number, everywhere, tmp_path):
    driver = drive(f"hydra/launcher={launcher}", "do=wait", "do=wait", "do=wait")
    pids = driver.workers(1)
    driver.end(number, everywhere=everywhere)
    driver.process.communicate(timeout=120)
    assert driver.process.returncode != 0
    assert gone(pids, within=30)
    assert (tmp_path / f"{pids[0]}.unwound").exists()
