"""Sweeps as a user starts them, over a program whose jobs cost nothing and fail as they are told."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from optuna.importance import get_param_importances

from sentexp.sweep.results import SweepResults

TWENTY = "range(0,20)"


def states(results: SweepResults) -> dict[str, str]:
    return {str(job.point): job.state for job in results.jobs}


def test_failures_are_listed_and_resume_runs_nothing_else(app, fates) -> None:
    ended = app("x=0,1,2,3", "y=1,2", fates(x1="raise", x2="nan", x3="quit"))
    assert ended.status == 1
    assert ended.refused.startswith("sentexp: 6 of 8 jobs failed; again: ")
    failed = [job for job in app.results.jobs if job.state == "failed"]
    assert [job.number for job in failed] == [2, 3, 4, 5, 6, 7]
    for job, why in zip(
        failed[::2], ("RuntimeError: told to raise", "returned nan", "called sys.exit(4)"), strict=True
    ):
        assert job.error is not None
        assert job.error.startswith(why)
        assert any(line.startswith(str(job.number)) and why in line for line in ended.said.splitlines())
        assert "Traceback" in (app.sweep / job.folder / "app.log").read_text()
    assert len(app.ran) == 8

    app.mend()
    ended = app("sweep.resume=latest")
    assert ended.status == 0, ended.refused
    assert app.ran[8:] == [f"{x} {y} 0" for x in (1, 2, 3) for y in (1, 2)]
    assert [job.number for job in app.results.jobs] == [0, 1, 8, 9, 10, 11, 12, 13]
    best = app.results.best()
    assert best is not None
    assert best.overrides == ("x=3", "y=1")
    # Optuna's own tools see the grid
    assert app.study.best_params == {"x": 3, "y": 1}
    assert app.study.trials_dataframe()["params_x"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]
    assert set(get_param_importances(app.study)) == {"x", "y"}


def test_a_key_of_one_option_is_left_out_beside_the_others_also_after_a_resume(app, fates) -> None:
    for name, content in {"small": "{}", "large": "depth: 0"}.items():
        path = app.folder / "conf" / "kind" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    ended = app("x=1,2", "kind.depth=tag(large,choice(3,4))", "+kind=small,large", "sweep.seeds=2", fates(x2="raise"))
    assert ended.status == 1
    kinds = ["+kind=small", "kind.depth=3 +kind=large", "kind.depth=4 +kind=large"]
    assert [str(point.point) for point in app.results.points()] == [f"x={x} {kind}" for x in (1, 2) for kind in kinds]
    assert len(app.ran) == 12
    assert "[1/12]  job 0" in ended.said

    app.mend()
    ended = app("sweep.resume=latest")
    assert ended.status == 0, ended.refused
    assert len(app.ran) == 18
    assert {point.states for point in app.results.points()} == {("finished", "finished")}
    assert set(get_param_importances(app.study)) <= {"x", "+kind", "kind.depth"}
    table = (app.sweep / "report" / "points.csv").read_text().splitlines()
    assert table[1].startswith("1,,small,2,")


@pytest.mark.slow
def test_a_grid_runs_in_the_order_of_hydras_basic_sweeper(app) -> None:
    app("x=range(0,3)", "y=choice(b,a)", "seed=7", "pair=false", "y=2,1")
    assert app.ran == [f"{x} {y} 7" for x in (0, 1, 2) for y in (2, 1)]
    ours = app.results
    theirs = app("x=range(0,3)", "y=2,1", "seed=7", "hydra/sweeper=basic", "hydra.sweep.dir=theirs")
    assert theirs.status == 0, theirs.refused
    for job in ours.jobs:
        written = (app.folder / "theirs" / str(job.number) / ".hydra" / "overrides.yaml").read_text()
        assert yaml.safe_load(written) == [*job.point.overrides, "seed=7"]


@pytest.mark.slow
def test_a_hard_exit_ends_the_driver_too_and_resume_goes_on_after_it(app, fates) -> None:
    told = fates(x3="exit", x5="kill", x7="raise")
    assert app(f"x={TWENTY}", told).status == 3
    statuses = [app("sweep.resume=latest").status for _ in range(2)]
    assert statuses[0] == -signal.SIGKILL
    assert len(set(app.ran)) == 20  # each point has had its turn
    app.mend()
    assert app("sweep.resume=latest").status == 0
    assert set(states(app.results).values()) == {"finished"}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=pool", "hydra.launcher.n_jobs=2"]], ids=["basic", "pool"])
def test_a_driver_killed_at_random_moments_ends_with_every_point_once(app, launcher: list[str]) -> None:
    chance = random.Random(4)
    arguments = ["x=range(0,8)", "y=1,2", "sleep=0.1", *launcher]
    for _ in range(10):
        program = app.start(*arguments)
        try:
            program.communicate(timeout=chance.uniform(0.5, 3))
        except subprocess.TimeoutExpired:
            program.kill()
        program.communicate()
        if any(app.folder.glob("multirun/**/sweep.yaml")):
            arguments = ["sweep.resume=latest", *launcher]
    assert app(*arguments).status == 0
    results = app.results
    assert sorted(states(results)) == sorted(f"x={x} y={y}" for x in range(8) for y in (1, 2))
    assert {job.state for job in results.jobs} == {"finished"}
    assert len({job.number for job in results.jobs}) == 16


@pytest.mark.slow
def test_a_job_in_its_own_process_dies_alone(app, fates) -> None:
    bad = {2: "raise", 4: "raise", 6: "raise", 8: "raise", 10: "exit", 12: "exit", 14: "kill", 16: "nan"}
    launcher = ["hydra/launcher=pool", "hydra.launcher.n_jobs=2"]
    ended = app(f"x={TWENTY}", fates(**{f"x{x}": fate for x, fate in bad.items()}), *launcher)
    assert ended.status == 1
    results = app.results
    assert {job.number for job in results.jobs if job.state == "failed"} == set(bad)
    assert [job.state for job in results.jobs].count("finished") == 12
    for number in bad:
        assert any(line.startswith(f"{number} ") and f"x={number}" in line for line in ended.said.splitlines())
    app.mend()
    before = len(app.ran)
    assert app("sweep.resume=latest").status == 0
    assert sorted(app.ran[before:]) == sorted(f"{x} 0 0" for x in bad)


@pytest.mark.slow
def test_seeds_repeat_each_point_and_resume_repeats_only_what_failed(app, fates) -> None:
    app("x=1,2", "sweep.seeds=3", "seed=5", fates(x2="raise"))
    assert app.ran == [f"{x} 0 {seed}" for x in (1, 2) for seed in (5, 6, 7)]
    (best,) = (point for point in app.results.points() if point.values)
    assert best.values == pytest.approx((1.6,))
    assert best.deviations == pytest.approx((0.1,))
    app.mend()
    app("sweep.resume=latest")
    assert len(app.ran) == 9
    assert [point.n for point in app.results.points()] == [3, 3]


@pytest.mark.slow
def test_max_failures_stops_and_resume_tries_again(app, fates) -> None:
    told = fates(x1="raise", x3="raise", x4="raise")
    assert app("x=range(0,8)", told, "sweep.max_failures=2").status == 1
    assert [line.split()[0] for line in app.ran] == ["0", "1", "2", "3"]
    app.mend()
    assert app("sweep.resume=latest").status == 0
    assert sorted(states(app.results).values()) == ["finished"] * 8


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_to_go_on(app, number: signal.Signals, status: int) -> None:
    program = app.start("x=range(0,3)", "sleep=1")
    until = time.monotonic() + 60
    while not (app.folder / "ran.txt").exists() and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(program.pid, number)
    said, refused = program.communicate(timeout=60)
    assert program.returncode == status
    assert "Traceback" not in refused
    assert "sweep.resume=" in said.splitlines()[-1]
    assert app("sweep.resume=latest", "sweep.max_failures=1").status == 0
    assert set(states(app.results).values()) == {"finished"}


@pytest.mark.slow
def test_a_second_driver_is_refused(app) -> None:
    program = app.start("x=range(0,9)", "sleep=1")
    until = time.monotonic() + 60
    while not (app.folder / "ran.txt").exists() and time.monotonic() < until:
        time.sleep(0.1)
    ended = app("sweep.resume=latest")
    assert ended.status == 2
    assert "another driver is at work" in ended.refused
    program.kill()
    program.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hydra/launcher=pool", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0"),
        (["hydra/launcher=submitit_slurm"], "this machine has no srun"),
        (["hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"], "hydra"),
    ],
    ids=["pool", "submitit_slurm", "ray"],
)
def test_a_launcher_that_cannot_work_leaves_neither_a_folder_nor_a_recorded_run(
    app, arguments: list[str], words: str
) -> None:
    before = sorted(app.folder.rglob("*"))
    ended = app("x=1,2", "+tracking=mlflow", *arguments)
    assert ended.status == 2
    assert words in ended.refused
    assert sorted(app.folder.rglob("*")) == before


def test_each_job_writes_where_its_own_values_say(app) -> None:
    ended = app("x=1,2", "y=3", "hydra.sweep.subdir='x${x}'", "hydra.sweep.dir=swept")
    assert ended.status == 0, ended.refused
    assert [job.folder for job in app.results.jobs] == ["x1", "x2"]
    for x in (1, 2):
        assert yaml.safe_load((app.folder / f"swept/x{x}/.hydra/config.yaml").read_text())["x"] == x
    composed = yaml.safe_load((app.folder / "swept" / "multirun.yaml").read_text())
    assert composed["hydra"]["overrides"]["task"] == ["x=1,2", "y=3"]
    assert composed["hydra"]["sweep"]["subdir"] == "x${x}"


@pytest.mark.parametrize("arguments", [["x=1,2"], ["y=1", "sweep.seeds=2"]])
def test_jobs_that_would_write_into_one_folder_are_refused(app, arguments: list[str]) -> None:
    ended = app(*arguments, "hydra.sweep.subdir=y${y}")
    assert ended.status == 2
    assert "would share the folder y" in ended.refused
    assert ended.refused.endswith("expected a folder per job, such as ${hydra.job.num}\n")
    assert not (app.folder / "multirun").exists()


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=pool", "hydra.launcher.n_jobs=1"]], ids=["basic", "pool"])
def test_an_interrupted_job_begins_anew_with_its_number_in_its_folder(app, launcher: list[str]) -> None:
    program = app.start("x=0,1", "sleep=60", *launcher)
    until = time.monotonic() + 60
    while not any('"running"' in path.read_text() for path in app.folder.glob("multirun/*/*/study.journal")):
        assert time.monotonic() < until
        time.sleep(0.1)
    folder = app.sweep / "0"
    before = ("unrecorded.jsonl", "model/weights.pt", "reports/page.html", "checkpoints/1.pt")
    for name in before:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    program.kill()
    program.communicate()
    manifest = app.sweep / "sweep.yaml"
    manifest.write_text(manifest.read_text().replace("- sleep=60", "- sleep=0").replace("sleep: 60", "sleep: 0"))
    ended = app("sweep.resume=latest")
    assert ended.status == 0, ended.refused
    assert [(job.number, job.folder, job.restarts) for job in app.results.jobs] == [(0, "0", 1), (1, "1", 0)]
    left = {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".hydra" not in path.parts
    }
    assert left == {"app.log", *(["output.log"] if launcher else []), *(f"interrupted-1/{name}" for name in before)}


TINY = ["data.size=200", "trainer.epochs=1", "model.hidden_size=8", "embedding.dim=8", "trainer.processes=1"]


@pytest.mark.slow
def test_mlflow_has_one_parent_run_with_a_child_per_job(tmp_path: Path) -> None:

    from mlflow import MlflowClient

    def sentexp(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "HYDRA"))}
        environment |= {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SENTEXP_CACHE_DIR": str(tmp_path / "cache"),
        }
        command = [sys.executable, "-m", "sentexp", "-m", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=300)

    varying = ["model.num_layers=1,2", "model.dropout=0,0.5", "tracking.log_model=false"]
    ended = sentexp(*TINY, *varying)
    assert ended.returncode == 1, ended.stderr
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")

    def runs() -> tuple[str, dict[str, str]]:
        found = client.search_runs([client.get_experiment_by_name("sentexp").experiment_id])  # type: ignore[union-attr]
        (parent,) = (run for run in found if "mlflow.parentRunId" not in run.data.tags)
        children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(children) == len(found) - 1
        assert {key: text for key, text in parent.data.params.items() if "=" in text or "," in text} == {
            "model.num_layers": "1,2",
            "model.dropout": "0,0.5",
        }
        assert parent.data.params["data.size"] == "200"
        assert "optimizer.lr" not in parent.data.params
        assert parent.data.tags["command"].startswith("sentexp -m data.size=200")
        assert {"git.commit", "versions.torch"} <= set(parent.data.tags)
        files = {file.path for file in client.list_artifacts(parent.info.run_id, "sweep")}
        assert {"sweep/jobs.csv", "sweep/jobs.html"} <= files
        return parent.info.status, {run.info.run_name: run.info.status for run in children}

    expected = {
        "0 num_layers=1 dropout=0": "FINISHED",
        "1 num_layers=1 dropout=0.5": "FAILED",
        "2 num_layers=2 dropout=0": "FINISHED",
        "3 num_layers=2 dropout=0.5": "FINISHED",
    }
    assert runs() == ("FAILED", expected)
    (page,) = tmp_path.glob("multirun/*/*/report/jobs.html")
    links = set(re.findall(r'href="([^"]*)"', page.read_text()))
    recorded = client.search_runs([client.get_experiment_by_name("sentexp").experiment_id])  # type: ignore[union-attr]
    address = "http://127.0.0.1:5000/#/experiments/{0.experiment_id}/runs/{0.run_id}"
    assert links == {address.format(run.info) for run in recorded if run.info.run_name[:2] != "1 "}  # refused at once
    assert f"ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db" in page.read_text()
    typo = sentexp(*TINY, "model.pooling=max,maen")
    assert (typo.returncode, typo.stderr.count("\n")) == (2, 1)
    assert "model.pooling=maen" in typo.stderr


def test_a_dry_run_lists_the_jobs_that_the_sweep_would_run_and_leaves_nothing(app) -> None:
    before = sorted(app.folder.rglob("*"))
    ended = app("x=1,2", "y=3", "sweep.seeds=2", "sweep.dry_run=true")
    assert ended.status == 0, ended.refused
    jobs = [line.strip() for line in ended.said.splitlines() if line.startswith("  ")]
    assert jobs == ["0 x=1 seed=0", "1 x=1 seed=1", "2 x=2 seed=0", "3 x=2 seed=1"]
    assert "all with: y=3" in ended.said
    assert sorted(path for path in app.folder.rglob("*") if "__pycache__" not in path.parts) == before
    searched = app("x=int(interval(1,9))", "sweep.sampler=tpe", "sweep.n_trials=7", "sweep.dry_run=true")
    assert "7 jobs at points that tpe chooses from:\n  x=int(interval(1,9))" in searched.said
    assert "expected without sweep.resume=latest" in app("sweep.resume=latest", "sweep.dry_run=true").refused


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "launcher"),
    [
        (signal.SIGKILL, []),
        (signal.SIGINT, ["hydra/launcher=pool", "hydra.launcher.n_jobs=1"]),
        (signal.SIGUSR2, ["hydra/launcher=submitit_local", "hydra.launcher.n_jobs=1"]),
    ],
    ids=["killed", "interrupted, pool", "preempted, submitit"],
)
def test_an_interrupted_job_goes_on_from_its_own_checkpoint(number: int, launcher: list[str], tmp_path: Path) -> None:
    import torch
    from mlflow import MlflowClient

    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "HYDRA"))}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "SENTEXP_CACHE_DIR": str(tmp_path / "cache")}

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sentexp", "-m", *arguments],
            cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(*arguments: str) -> None:
        program = start(*arguments)
        _, errors = program.communicate(timeout=300)
        assert program.returncode == 0, errors

    arguments = ["seed=1,2", *TINY, "data.size=1000", "trainer.epochs=12", "trainer.checkpoint_minutes=0"]
    arguments += ["model.output_dropout=0.3", "evaluation.baseline=false", "tracking.system_metrics=false", *launcher]
    run(*arguments, "hydra.sweep.dir=whole")
    program = start(*arguments, "hydra.sweep.dir=cut")
    until = time.monotonic() + 120
    while not list((tmp_path / "cut" / "0" / "checkpoints").glob("step-000000001*.json")):
        assert time.monotonic() < until
        time.sleep(0.02)
    if number == signal.SIGUSR2:  # a cluster tells the job alone, whose sweep goes on
        os.kill(int(re.findall(r'"pid":(\d+)', (tmp_path / "cut" / "study.journal").read_text())[-1]), number)
        _, errors = program.communicate(timeout=300)
        assert program.returncode == 0, errors
    else:
        program.send_signal(number)
        program.communicate(timeout=60)
        run("sweep.resume=cut")
    assert "resume: after step" in (tmp_path / "cut" / "0" / "sentexp.log").read_text()
    for job in ("0", "1"):
        ours, theirs = (torch.load(tmp_path / one / job / "model" / "weights.pt") for one in ("cut", "whole"))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not list((tmp_path / "cut").rglob("checkpoints"))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("sentexp").experiment_id])  # type: ignore[union-attr]
    assert len(runs) == 6  # two sweeps of two jobs each
    assert {run.info.status for run in runs} == {"FINISHED"}
