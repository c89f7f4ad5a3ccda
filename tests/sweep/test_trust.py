"""A sweep's folder from elsewhere, resumed."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from sentexp.config import conf_dir
from sentexp.errors import SentexpError
from sentexp.foreign import is_of_hydra
from sentexp.sweep.distributions import _search_distribution, could_be_drawn
from sentexp.sweep.point import Point
from sentexp.sweep.request import SweepRequest, check_points, sweep_request

REFUSED = r"^sweep\.resume=swept: .*: code outside of sentexp, which would be run; expected sweep\.trust=true if the sw"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "evil.py").write_text("def call(*a, **b): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(*arguments: str) -> SweepRequest:
    """Return what the command line asks for, checked as the driver checks it."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", [*arguments, "hydra.sweep.dir=swept"], RunMode.MULTIRUN)
        words = [one for one in arguments if not is_of_hydra(one)]
        return check_points(sweep_request(words, config, loader), loader, "sentexp.config.check")


@pytest.mark.parametrize(
    "arguments",
    [
        ["model._target_=evil.call"],
        ["~model.cell", "model._target_=evil.call"],
        ["tokenizer=callable", "tokenizer.path=evil.call"],
        ["+evaluation.metrics.x=evil.call"],
        ["tracking._target_=evil.call"],
        ["data=files", "data.path=x", "data.label_map={a: {_target_: evil.call}}"],
        ["+hydra.callbacks.x._target_=evil.call"],
        ["hydra.searchpath=[pkg://evil]"],
        ["+hydra.job_logging.handlers.console.()=evil.call"],
        ["hydra.launcher={_target_: BasicLauncher, x: {_target_: evil.call}}"],
        ["+hydra.job.env_set.LD_PRELOAD=evil.so"],
        ["sweep.trust=true", "model._target_=evil.call"],
        ["+experiment=../../pwn"],
        ["+experiment=mine", "model=choice(lstm,../../../../../../proc/self/cwd/pwn)"],
        ["+model@hydra.job_logging.handlers=gru"],
        ["--config-dir=x"],
    ],
    ids=lambda arguments: arguments[-1],
)
@pytest.mark.parametrize("place", ["arguments", "hydra_arguments"])
def test_code_that_the_folder_names_is_not_run(folder: Path, arguments: list[str], place: str) -> None:
    manifest = asked("seed=1,2").manifest
    replace(manifest, **{place: [*getattr(manifest, place), *arguments]}).write(folder / "swept")
    with pytest.raises(SentexpError, match=REFUSED):
        asked("sweep.resume=swept")
    assert "evil" not in sys.modules


def test_nor_is_code_that_one_of_the_points_names(folder: Path) -> None:
    manifest = asked("seed=1,2").manifest
    swept = ["tokenizer=basic,callable", "+tokenizer.path=tag(callable,choice(evil.call,evil.other))"]
    replace(manifest, arguments=[*manifest.arguments, *swept]).write(folder / "swept")
    with pytest.raises(SentexpError, match=r"sweep\.resume=swept: "):
        asked("sweep.resume=swept")
    assert "evil" not in sys.modules


@pytest.mark.parametrize("swept", ["+experiment=own", "experiment=glove,own", "experiment=null,own"])
@pytest.mark.parametrize(
    "section", ['job_logging: {handlers: {x: {"()": evil.call}}}', "job: {env_set: {LD_PRELOAD: evil.so}}"]
)
def test_nor_is_code_that_an_option_puts_into_hydras_own_section(folder: Path, swept: str, section: str) -> None:
    (folder / "mine" / "experiment").mkdir(parents=True)
    (folder / "mine" / "experiment" / "own.yaml").write_text(f"# @package _global_\nhydra: {{{section}}}\n")
    own = f"hydra.searchpath=[file://{folder}/mine]"
    manifest = asked(own, "seed=1,2").manifest
    replace(manifest, arguments=[*manifest.arguments, swept.lstrip("+")]).write(folder / "swept")
    with pytest.raises(SentexpError, match=rf"^sweep\.resume=swept: hydra\.job.*evil.*{REFUSED[40:]}"):
        asked("sweep.resume=swept", own)
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("subdir", "named"),
    [
        ("{docs}", "x"),
        ("../docs", "x"),
        ("${{cache_dir}}", "{docs}"),
        ("${{hydra.job.num}}/${{cache_dir}}", "../../docs"),
        ("linked", "x"),
    ],
)
def test_a_folder_outside_of_the_sweeps_is_not_used(folder: Path, subdir: str, named: str) -> None:
    docs = folder / "docs"
    docs.mkdir()
    manifest = asked("seed=1,2", f"cache_dir={named.format(docs=docs)}").manifest
    hydra_arguments = [*manifest.hydra_arguments, f"hydra.sweep.subdir={subdir.format(docs=docs)}"]
    replace(manifest, hydra_arguments=hydra_arguments).write(folder / "swept")
    (folder / "swept" / "linked").symlink_to(docs)
    with pytest.raises(
        SentexpError, match=r"^sweep\.resume=swept: hydra\.sweep\.subdir.*; expected .*sweep\.trust=true"
    ):
        asked("sweep.resume=swept")


def test_nor_is_what_lies_in_one_moved(app, fates) -> None:
    assert app("x=1,2,3", fates(x2="kill"), "sweep.n_jobs=1").status != 0
    docs = app.folder / "docs"
    docs.mkdir()
    (docs / "letter.txt").write_text("Dear")
    shutil.rmtree(app.sweep / "1")
    (app.sweep / "1").symlink_to(docs)
    app.mend()
    app("sweep.resume=latest")
    assert (docs / "letter.txt").read_text() == "Dear"
    assert "a folder outside of the sweep's" in str(app.results.jobs[1].error)


@pytest.mark.parametrize(
    ("key", "address", "variable"),
    [
        ("sweep.storage", "mysql://ann@far/x", "SENTEXP_STORAGE_PASSWORD"),
        ("tracking.uri", "http://far:5000", "MLFLOW_TRACKING_PASSWORD"),
        ("tracking.uri", "http://far:5000", "MLFLOW_TRACKING_TOKEN"),
    ],
)
def test_a_server_that_the_folder_names_is_sent_no_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch, key: str, address: str, variable: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = ("seed=choice(1,2)", "sweep.sampler=random", "sweep.study_name=s", f"{key}={address}")
    asked(*words).manifest.write(folder / "swept")
    assert asked("sweep.resume=swept").resumed
    monkeypatch.setenv(variable, "opensesame")
    with pytest.raises(SentexpError, match=rf"^sweep\.resume=swept: {key}={address}: would be sent your {variable}; "):
        asked("sweep.resume=swept")
    again = asked("sweep.resume=swept", f"{key}={address}")
    assert again.resume_command().endswith(f"/swept {key}={address}")
    assert asked("sweep.resume=swept", "sweep.trust=true").resumed


def test_hydras_own_keys_cannot_be_brought_in_by_the_space() -> None:
    with pytest.raises(SentexpError, match=r"^hydra\.job_logging\.x=.*: one of Hydra's own keys cannot vary"):
        asked("+sweep.space={hydra.job_logging.x: 'choice(1,2)'}")


def test_a_folder_without_code_is_resumed_and_one_with_code_where_it_is_trusted(folder: Path) -> None:
    plain = asked("model.num_layers=1,2")
    assert not plain.needs_trust
    plain.manifest.write(folder / "swept")
    assert "sweep.trust" not in asked("sweep.resume=swept").resume_command()

    (folder / "mine.py").write_text("def split(text):\n    return text.split()\n")
    (folder / "swept" / "sweep.yaml").unlink()
    own = asked("model.num_layers=1,2", "tokenizer=callable", "tokenizer.path=mine.split")
    own.manifest.write(folder / "swept")
    assert own.resume_command().endswith("/swept sweep.trust=true")
    with pytest.raises(SentexpError, match=REFUSED):
        asked("sweep.resume=swept")
    trusted = asked("sweep.resume=swept", "sweep.trust=true")
    assert trusted.resume_command().endswith("/swept sweep.trust=true")


@pytest.mark.parametrize("evil", ["x={_target_: os.system}", "x=../../proc/self/cwd/x", "y=1"])
@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_point_of_the_study_that_is_none_of_the_sweeps_is_not_run(app, fates, sampler: str, evil: str) -> None:
    assert app("x=choice(1)", f"sweep.sampler={sampler}", "sweep.n_trials=1", fates(x1="raise")).status == 1
    journal = app.sweep / "study.journal"
    before = journal.read_text()
    journal.write_text(before.replace('"x=1"', f'"{evil}"'))
    app.mend()
    ended = app("sweep.resume=latest")
    assert ended.status == 2
    assert f"study.journal has the point {evil}, which is none of this sweep's" in ended.refused
    assert len(app.ran) == 1


def test_nor_is_one_of_a_trial_that_tries_another_again(app, fates) -> None:
    assert app("x=choice(1)", fates(x1="raise")).status == 1
    journal = app.sweep / "study.journal"
    begun = journal.stat().st_size
    assert app("sweep.resume=latest").status == 1
    with journal.open() as file:
        before, after = file.read(begun), file.read()
    journal.write_text(before + after.replace('"x=1"', '"x=../x"'))
    ended = app("sweep.resume=latest")
    assert ended.status == 2
    assert "study.journal has the point x=../x, which is none of this sweep's" in ended.refused


@pytest.mark.parametrize(
    ("axis", "text", "may"),
    [
        ("x=choice(1,b)", "x=b", True),
        ("x=choice(1,b)", "x=c", False),
        ("x=choice(1,b)", "+x=b", False),
        ("x=interval(1,3)", "x=2", True),
        ("x=interval(1.0,3)", "x=2.5", True),
        ("x=interval(1.0,3)", "x=1e999", False),
        ("x=interval(1.0,3)", "x=2/x", False),
        ("x=range(1,5)", "x=4", True),
        ("x=range(1,5)", "x=2.5", False),
        ("x=tag(log,interval(0.001,1))", "x=0.0001", False),
    ],
)
def test_a_search_knows_the_points_that_it_can_have_drawn(axis: str, text: str, may: bool) -> None:
    distribution = _search_distribution(OverridesParser.create().parse_override(axis))
    assert could_be_drawn(Point((text,)), {"x": distribution}) == may
