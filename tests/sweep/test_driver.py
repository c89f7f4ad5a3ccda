"""Sweeps as a user starts them, over a program whose runs cost nothing and fail as they are told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from sentexp.sweep.results import SweepResults

TWENTY = "range(0,20)"


def states(record: SweepResults) -> dict[str, str]:
    return {" ".join(job.point): job.state for job in record.jobs}


def test_failures_are_told_and_resume_runs_them_alone(app, fates) -> None:
    ended = app("x=0,1,2,3", "y=1,2", fates(x1="raise", x2="nan", x3="quit"))
    assert ended.status == 1
    assert ended.refused.startswith("sentexp: 6 of 8 runs failed; again: ")
    failed = [job for job in app.record.jobs if job.state == "failed"]
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
    assert [job.number for job in app.record.jobs] == [0, 1, 8, 9, 10, 11, 12, 13]
    best = app.record.best()
    assert best is not None
    assert best.overrides == ("x=3", "y=1")


@pytest.mark.slow
def test_a_grid_runs_in_the_order_of_hydras_own(app) -> None:
    app("x=range(0,3)", "y=choice(b,a)", "seed=7", "pair=false", "y=2,1")
    assert app.ran == [f"{x} {y} 7" for x in (0, 1, 2) for y in (2, 1)]
    ours = app.record
    theirs = app("x=range(0,3)", "y=2,1", "seed=7", "hydra/sweeper=basic", "hydra.sweep.dir=theirs")
    assert theirs.status == 0, theirs.refused
    for job in ours.jobs:
        written = (app.folder / "theirs" / str(job.number) / ".hydra" / "overrides.yaml").read_text()
        assert yaml.safe_load(written) == [*job.point, "seed=7"]


@pytest.mark.slow
def test_a_hard_exit_takes_the_driver_along_and_resume_goes_on_behind_it(app, fates) -> None:
    told = fates(x3="exit", x5="kill", x7="raise")
    assert app(f"x={TWENTY}", told).status == 3
    statuses = [app("sweep.resume=latest").status for _ in range(2)]
    assert statuses[0] == -signal.SIGKILL
    assert len(set(app.ran)) == 20  # each point has had its turn
    app.mend()
    assert app("sweep.resume=latest").status == 0
    assert set(states(app.record).values()) == {"finished"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [[], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]], ids=["basic", "joblib"]
)
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
    record = app.record
    assert sorted(states(record)) == sorted(f"x={x} y={y}" for x in range(8) for y in (1, 2))
    assert {job.state for job in record.jobs} == {"finished"}
    assert len({job.number for job in record.jobs}) == 16


@pytest.mark.slow
def test_jobs_with_processes_of_their_own_die_alone(app, fates) -> None:
    bad = {2: "raise", 4: "raise", 6: "raise", 8: "raise", 10: "exit", 12: "exit", 14: "kill", 16: "nan"}
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    ended = app(f"x={TWENTY}", fates(**{f"x{x}": fate for x, fate in bad.items()}), *launcher)
    assert ended.status == 1
    record = app.record
    assert {job.number for job in record.jobs if job.state == "failed"} == set(bad)
    assert [job.state for job in record.jobs].count("finished") == 12
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
    (best,) = (point for point in app.record.points() if point.values)
    assert best.values == pytest.approx((1.6,))
    assert best.deviations == pytest.approx((0.1,))
    app.mend()
    app("sweep.resume=latest")
    assert len(app.ran) == 9
    assert [point.n for point in app.record.points()] == [3, 3]


@pytest.mark.slow
def test_max_failures_stops_and_resume_tries_again(app, fates) -> None:
    told = fates(x1="raise", x3="raise", x4="raise")
    assert app("x=range(0,8)", told, "sweep.max_failures=2").status == 1
    assert [line.split()[0] for line in app.ran] == ["0", "1", "2", "3"]
    app.mend()
    assert app("sweep.resume=latest").status == 0
    assert sorted(states(app.record).values()) == ["finished"] * 8


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "gp", "nsgaii", "qmc"])
def test_guided_search(app, sampler: str) -> None:
    search = ["x=tag(log,interval(1,100))", "y=range(0,4)", f"sweep.sampler={sampler}", "sweep.n_trials=8"]
    ended = app(*search)
    assert ended.status == 0, ended.refused
    record = app.record
    assert [job.number for job in record.jobs] == list(range(8))
    for job in record.jobs:
        x, y = (text.partition("=")[2] for text in job.point)
        assert 1 <= float(x) <= 100
        assert y in ("0", "1", "2", "3")


@pytest.mark.slow
def test_a_guided_search_asks_for_a_point_whenever_a_job_ends(app) -> None:
    pytest.importorskip("pebble", reason="needs the extra pool")
    search = ["x=choice(0,3)", "sweep.sampler=random", "sweep.n_trials=6", "seed=2"]  # x: 0, 0, 0, 3, 0, 0
    assert app("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "sleep=${x}", *search).status == 0
    assert [line.split()[0] for line in app.ran] == ["0", "0", "0", "0", "0", "3"]  # in the order of their ends


@pytest.mark.slow
def test_a_guided_search_goes_on_with_more_trials(app) -> None:
    assert app("x=interval(0.0,1.0)", "sweep.sampler=tpe", "sweep.n_trials=6").status == 0
    before = [job.point for job in app.record.jobs]
    assert app("sweep.resume=latest", "sweep.n_trials=8").status == 0
    points = [job.point for job in app.record.jobs]
    assert points[:6] == before
    assert len(set(points)) == 8


FLAKY = """
from hydra_plugins.sentexp_launchers.pool_launcher import PoolLauncher

class Flaky(PoolLauncher):
    calls = 0

    def __init__(self, takes):
        super().__init__(n_jobs=1)
        self.takes = takes

    def stream(self, jobs, first, at_once=None):
        Flaky.calls += 1
        if Flaky.calls == 1 or self.takes == 0:
            for _ in range(self.takes):
                next(jobs)
            raise RuntimeError("no more today")
        yield from super().stream(jobs, first, at_once)
"""


@pytest.mark.slow
def test_a_launcher_that_fails_costs_the_jobs_that_it_took(app) -> None:
    pytest.importorskip("pebble", reason="needs the extra pool")
    for path, text in {
        "hydra_plugins/flaky.py": FLAKY,
        "conf/hydra/launcher/flaky.yaml": "_target_: hydra_plugins.flaky.Flaky\ntakes: 2\n",
    }.items():
        (app.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (app.folder / path).write_text(text)
    ended = app("x=0,1,2,3,4", "hydra/launcher=flaky")
    assert ended.status == 1
    assert "the launcher failed: RuntimeError: no more today" in ended.said
    assert [job.state for job in app.record.jobs] == ["failed"] * 2 + ["finished"] * 3
    assert {job.error for job in app.record.jobs[:2]} == {"RuntimeError: no more today"}
    ended = app("sweep.resume=latest", "hydra/launcher=flaky", "hydra.launcher.takes=0")
    assert ended.status == 1
    assert "RuntimeError: no more today" in ended.refused
    assert app("sweep.resume=latest", "hydra/launcher=joblib").status == 0
    assert [job.state for job in app.record.jobs] == ["finished"] * 5


@pytest.mark.slow
def test_several_metrics(app) -> None:
    several = ["pair=true", "sweep.metric=[gain,cost]", "sweep.direction=[maximize,minimize]"]
    assert app("x=interval(0.0,1.0)", "y=interval(0.0,1.0)", "sweep.sampler=nsgaii", *several).status == 0
    assert {len(job.values or ()) for job in app.record.jobs} == {2}


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "successive_halving", "hyperband"])
def test_hopeless_runs_are_pruned_with_all_their_seeds(app, pruner: str) -> None:
    search = ["x=interval(0.0,1.0)", "epochs=9", "sweep.sampler=random", "sweep.n_trials=20", "sweep.seeds=2"]
    ended = app(*search, f"sweep.pruner={pruner}", "sweep.warmup_epochs=2", "sweep.startup_trials=3")
    assert ended.status == 0, ended.refused
    points = app.record.points()
    pruned = [point for point in points if "pruned" in point.states]
    assert 0 < len(pruned) < 20
    assert all(point.states == ("pruned", "pruned") for point in pruned)
    assert all(2 <= len(point.jobs[0].history) < 9 and not point.jobs[1].history for point in pruned)


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["../shared.journal", "sqlite:///../shared.db"])
def test_drivers_share_a_search(app, storage: str) -> None:
    search = ["x=interval(0.0,9.0)", "sweep.sampler=tpe", "sweep.n_trials=6", "sleep=0.05"]
    shared = [f"sweep.storage={storage}", "sweep.study_name=ours"]
    drivers = []
    for name in ("one", "two", "three"):
        (app.folder / name).mkdir()
        (app.folder / name / "app.py").symlink_to(app.folder / "app.py")
        (app.folder / name / "conf").symlink_to(app.folder / "conf")
        drivers.append(type(app)(app.folder / name))
    programs = [driver.start(*search, *shared) for driver in drivers]
    for program in programs:
        _, refused = program.communicate(timeout=200)
        assert program.returncode == 0, refused
    assert [len(driver.record.jobs) for driver in drivers] == [6, 6, 6]
    assert len({job.point for driver in drivers for job in driver.record.jobs}) == 18


@pytest.mark.slow
def test_passwords_of_the_environment_are_in_no_file(app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTEXP_STORAGE_PASSWORD", "opensesame")
    monkeypatch.setenv("SENTEXP_ADDRESS", "https://me:opensesame@host")
    shared = ["sweep.storage=sqlite:///shared.db", "sweep.study_name=ours"]
    search = ["x=interval(0.0,9.0)", "sweep.sampler=random", "sweep.n_trials=1", "+cache_dir=${oc.env:SENTEXP_ADDRESS}"]
    assert app(*search, *shared, "hydra/launcher=submitit_local").status == 0
    assert len(app.record.jobs) == 1
    files = [path for path in app.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".pkl" for path in files)
    assert not [path for path in files if b"opensesame" in path.read_bytes()]


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
    assert set(states(app.record).values()) == {"finished"}


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


@pytest.mark.slow
def test_a_changed_sweep_is_refused_with_the_difference(app) -> None:
    app("x=1,2", "y=1")
    for arguments, words in {
        ("y=2",): "y: 1 -> 2",
        ("x=1,2,3",): "x: 1,2 -> 1,2,3",
        ("sweep.seeds=2",): "sweep.seeds: 1 -> 2",
        ("hydra.sweep.dir=elsewhere",): "hydra.sweep.dir=elsewhere",
    }.items():
        ended = app("sweep.resume=latest", *arguments)
        assert (ended.status, words in ended.refused) == (2, True), ended.refused
    assert app("sweep.resume=latest", "y=1", "x=1,2", "sweep.max_failures=3").status == 0
    config = app.folder / "conf" / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 0", "epochs: 1"))
    assert "epochs: 0 -> 1" in app("sweep.resume=latest").refused
    assert len(app.ran) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x=interval(0,1)"], "sweep.sampler=grid"),
        (["sweep.sampler=tpe"], "nothing to search"),
        (["x=1,2", "sweep.seeds=1,2"], "one value"),
        (["x=1,2", "z=3"], "z=3: no such key"),
        (["x=1", "sweep.resume=nowhere"], "sweep.resume=nowhere: no sweep"),
        (["x=1", "sweep.resume=latest"], "there is no sweep under"),
    ],
)
def test_mistakes_end_with_one_line_before_anything_is_left_behind(app, arguments: list[str], words: str) -> None:
    ended = app(*arguments)
    assert ended.status == 2
    assert len(ended.refused.splitlines()) == 1
    assert words in ended.refused
    assert not (app.folder / "multirun").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0"),
        (["hydra/launcher=submitit_slurm"], "this machine has no srun"),
        (["hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"], "hydra"),
    ],
    ids=["joblib", "submitit_slurm", "ray"],
)
def test_a_launcher_that_cannot_work_leaves_neither_a_folder_nor_a_recorded_run(
    app, arguments: list[str], words: str
) -> None:
    before = sorted(app.folder.rglob("*"))
    ended = app("x=1,2", "+tracking=mlflow", *arguments)
    assert ended.status == 2
    assert words in ended.refused
    assert sorted(app.folder.rglob("*")) == before


TINY = ["data.size=200", "trainer.epochs=1", "model.hidden_size=8", "embedding.dim=8", "trainer.processes=1"]


@pytest.mark.slow
def test_one_parent_and_a_child_for_every_job(tmp_path: Path) -> None:
    import sys

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
    typo = sentexp(*TINY, "model.pooling=max,maen")
    assert (typo.returncode, typo.stderr.count("\n")) == (2, 1)
    assert "model.pooling=maen" in typo.stderr


@pytest.mark.parametrize("arguments", [["sweep=lstm"], ["sweep=optimizer"], ["sweep=regularization"]], ids=" ".join)
def test_presets_compose_at_each_of_their_values(arguments: list[str]) -> None:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from sentexp.config import check, conf_dir
    from sentexp.sweep import search
    from sentexp.sweep.plan import Plan
    from sentexp.sweep.settings import Settings

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        settings = Settings.of(compose("config", overrides=arguments).sweep)
        plan = Plan.of(arguments, settings.space, GlobalHydra.instance().config_loader())
        assert search.space(plan)
        for point, _ in plan.to_check():
            check(compose("config", overrides=plan.overrides_of(point)))
