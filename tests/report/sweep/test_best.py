"""The preset of the best point composes to what its job ran with, whatever the defaults are."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import made_up_sweeps as made_up
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from sentexp.config import check, conf_dir
from sentexp.report.sweep.best import write_best
from sentexp.sweep.job_record import JobRecord


def composed(*overrides: str) -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="sentexp"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


def ran(folder: Path, *overrides: str) -> dict[str, Any]:
    """Leaves in `folder` what a job with these overrides leaves there. Returns its resolved configuration."""
    config = composed(*overrides)
    hydra = OmegaConf.masked_copy(config, "hydra")
    with open_dict(config):
        config.pop("hydra")
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(config, folder / ".hydra" / "config.yaml")
    OmegaConf.save(hydra, folder / ".hydra" / "hydra.yaml")
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]


def best_of(folder: Path, *further: str) -> dict[str, Any]:
    """What `--config-dir FOLDER experiment=best` composes to."""
    config = composed(f"hydra.searchpath=[file://{folder}]", "experiment=best", *further)
    with open_dict(config):
        config.pop("hydra")
    check(config)
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]


def write(folder: Path, *jobs: JobRecord) -> str:
    path = write_best(made_up.sweep(folder, ["model"], jobs))
    assert path == folder / "experiment" / "best.yaml"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.bidirectional=true", "optimizer.lr=1e-05"],
        ["model=gru", "optimizer=sgd", "optimizer.momentum=0.9", "schedule=plateau", "seed=7"],
        [
            "experiment=imdb_supervised",
            "model=bag_of_words",
            "~model.hidden_size",
            "~model.bidirectional",
            "model.pooling=mean",
        ],
        ["experiment=post_fixed", "embedding=one_hot", "~embedding.dim", "~embedding.std"],
        ["text.init_token=null", "text.eos_token='1e-3'", "vocab.specials=['<unk>','<pad>','null','a: b # c']"],
        ["data.limit=50", "trainer.processes='2'", "text.max_length=9"],
        ["model._target_=unittest.mock.Mock", "+model.own={a:[1,2],b:null,c:'\\${x}'}"],
        ["tokenizer=callable", "tokenizer.path=textwrap.wrap", "optimizer.betas=[0.8,0.9]"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_the_preset_is_what_the_best_job_ran_with(overrides: list[str], tmp_path: Path) -> None:
    ran_with = ran(tmp_path / "3", *overrides)
    write(tmp_path, made_up.job(2, ["model=lstm"], 0.5), made_up.job(3, ["model=gru"], 0.6))
    here = ("tracking", "cache_dir", "sweep")
    again = best_of(tmp_path, "tracking=none", "cache_dir=elsewhere")
    assert {k: v for k, v in again.items() if k not in here} == {k: v for k, v in ran_with.items() if k not in here}
    assert again["cache_dir"] == "elsewhere"


def test_the_preset_pins_every_group_and_every_value(tmp_path: Path) -> None:
    ran(tmp_path / "0", "experiment=imdb_supervised", "model=gru")
    written = OmegaConf.to_container(OmegaConf.create(write(tmp_path, made_up.job(0, ["model=gru"], 0.5))))
    assert isinstance(written, dict)
    defaults = written["defaults"]
    groups = {
        "data",
        "tokenizer",
        "vocab",
        "embedding",
        "model",
        "objective",
        "optimizer",
        "schedule",
        "task",
        "trainer",
    }
    assert {group for default in defaults[:-1] for group in default} == {f"override /{group}" for group in groups}
    assert {"override /model": "gru"} in defaults
    assert {"override /data": "imdb"} in defaults  # chosen by the preset, not on the command line
    assert defaults[-1] == "_self_"
    assert set(written) == {*groups, "defaults", "seed", "shapes", "text", "evaluation"}


def test_the_command_in_its_heading_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "last night's"
    ran(folder / "0", "model=gru")
    (command,) = (line for line in write(folder, made_up.job(0, ["model=gru"], 0.5)).splitlines() if "python" in line)
    assert shlex.split(command[2:]) == ["python", "-m", "sentexp", "--config-dir", str(folder), "experiment=best"]


def test_an_option_of_the_users_own_comes_along(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "model").mkdir(parents=True)
    (own / "model" / "wide.yaml").write_text("defaults: [lstm]\nhidden_size: 512\n")
    sweep = tmp_path / "sweep"
    ran_with = ran(sweep / "0", f"hydra.searchpath=[file://{own}]", "model=wide", "model.num_layers=2")
    assert "override /model: wide" in write(sweep, made_up.job(0, ["model=wide"], 0.5))
    assert best_of(sweep)["model"] == ran_with["model"]


def test_of_several_seeds_the_first_that_finished_is_written_and_the_mean_said(tmp_path: Path) -> None:
    ran(tmp_path / "1", "seed=1")
    jobs = [
        made_up.job(0, ["model=gru"], state="failed", seed=0),
        made_up.job(1, ["model=gru"], 0.8, seed=1),
        made_up.job(2, ["model=gru"], 0.9, seed=2),
    ]
    text = write(tmp_path, *jobs)
    assert "# best/valid_accuracy 0.8500 ± 0.0707 (mean over 2 seeds; this is seed 1)" in text
    assert best_of(tmp_path)["seed"] == 1


def test_without_a_best_point_there_is_no_preset_and_an_old_one_goes(tmp_path: Path) -> None:
    ran(tmp_path / "0")
    write(tmp_path, made_up.job(0, ["model=gru"], 0.5))
    assert write_best(made_up.nothing_finished(tmp_path)) is None
    assert not (tmp_path / "experiment" / "best.yaml").exists()


def test_what_cannot_be_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert write_best(made_up.one_job(tmp_path)) is None
    assert "best.yaml: not written, for what job 0 ran with cannot be read" in caplog.text
