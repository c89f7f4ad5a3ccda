"""A sweep's folder from elsewhere, resumed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from sentexp.config import conf_dir
from sentexp.errors import SentexpError
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
        return check_points(sweep_request(arguments, config, loader), loader, "sentexp.config.check")


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


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_point_of_the_study_that_names_code_is_not_run(app, fates, sampler: str) -> None:
    assert app("x=choice(1)", f"sweep.sampler={sampler}", "sweep.n_trials=1", fates(x1="raise")).status == 1
    journal = app.sweep / "study.journal"
    journal.write_text(journal.read_text().replace('"x=1"', '"x={_target_: os.system}"'))
    app.mend()
    ended = app("sweep.resume=latest")
    if sampler == "grid":
        assert ended.status == 2
        assert "study.journal has the point x={_target_: os.system}, which is none of this sweep's" in ended.refused
    else:
        assert ended.status == 1
        assert "x._target_=os.system: code outside of sentexp, which would be run" in str(app.results.jobs[0].error)
    assert app.ran == ["1 0 0"]
