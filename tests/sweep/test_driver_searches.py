"""Searches as a user starts them, over a program whose jobs cost nothing."""

from __future__ import annotations

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "gp", "nsgaii", "qmc"])
def test_each_sampler_draws_from_the_space(app, sampler: str) -> None:
    search = ["x=tag(log,interval(1,100))", "y=range(0,4)", f"sweep.sampler={sampler}", "sweep.n_trials=8"]
    ended = app(*search)
    assert ended.status == 0, ended.refused
    results = app.results
    assert [job.number for job in results.jobs] == list(range(8))
    for job in results.jobs:
        x, y = (text.partition("=")[2] for text in job.point.overrides)
        assert 1 <= float(x) <= 100
        assert y in ("0", "1", "2", "3")


@pytest.mark.slow
def test_a_search_draws_a_point_whenever_a_job_ends(app) -> None:
    pytest.importorskip("cloudpickle", reason="needs the extra pool")
    search = ["x=choice(0,3)", "sweep.sampler=random", "sweep.n_trials=6", "seed=2"]  # x: 0, 0, 0, 3, 0, 0
    assert app("hydra/launcher=pool", "hydra.launcher.n_jobs=2", "sleep=${x}", *search).status == 0
    assert [line.split()[0] for line in app.ran] == ["0", "0", "0", "0", "0", "3"]  # in the order of their ends


@pytest.mark.slow
def test_a_search_goes_on_with_more_trials(app) -> None:
    assert app("x=interval(0.0,1.0)", "sweep.sampler=tpe", "sweep.n_trials=6").status == 0
    before = [job.point for job in app.results.jobs]
    assert app("sweep.resume=latest", "sweep.n_trials=8").status == 0
    points = [job.point for job in app.results.jobs]
    assert points[:6] == before
    assert len(set(points)) == 8


@pytest.mark.slow
def test_a_search_with_several_metrics(app) -> None:
    several = ["pair=true", "sweep.metric=[gain,cost]", "sweep.direction=[maximize,minimize]"]
    assert app("x=interval(0.0,1.0)", "y=interval(0.0,1.0)", "sweep.sampler=nsgaii", *several).status == 0
    assert {len(job.values or ()) for job in app.results.jobs} == {2}


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "successive_halving", "hyperband"])
def test_hopeless_jobs_are_pruned_with_all_their_seeds(app, pruner: str) -> None:
    search = ["x=interval(0.0,1.0)", "epochs=9", "sweep.sampler=random", "sweep.n_trials=20", "sweep.seeds=2"]
    ended = app(*search, f"sweep.pruner={pruner}", "sweep.warmup_epochs=2", "sweep.startup_trials=3")
    assert ended.status == 0, ended.refused
    points = app.results.points()
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
    assert [len(driver.results.jobs) for driver in drivers] == [6, 6, 6]
    assert len({job.point for driver in drivers for job in driver.results.jobs}) == 18


@pytest.mark.slow
def test_passwords_of_the_environment_are_in_no_file(app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTEXP_STORAGE_PASSWORD", "opensesame")
    monkeypatch.setenv("SENTEXP_ADDRESS", "https://me:opensesame@host")
    shared = ["sweep.storage=sqlite:///shared.db", "sweep.study_name=ours"]
    search = ["x=interval(0.0,9.0)", "sweep.sampler=random", "sweep.n_trials=1", "+cache_dir=${oc.env:SENTEXP_ADDRESS}"]
    assert app(*search, *shared, "hydra/launcher=submitit_local").status == 0
    assert len(app.results.jobs) == 1
    files = [path for path in app.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".pkl" for path in files)
    assert not [path for path in files if b"opensesame" in path.read_bytes()]
