from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sentexp.config import conf_dir
from sentexp.foreign import foreign, may_run_code

BUILT_IN = [
    f"{path.parent.name}={path.stem}"
    for path in sorted(Path(conf_dir()).glob("*/*.yaml"))
    if path.parent.name != "hydra" and path.stem != "callable"
]


def composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("config", list(overrides)))  # type: ignore[return-value]


@pytest.mark.parametrize("option", BUILT_IN)
def test_no_option_of_this_package_names_code_outside_of_it(option: str) -> None:
    config = composed(option)
    assert not list(foreign(config, list(config)))


@pytest.mark.parametrize(
    "override",
    [
        "model._target_=os.system",
        "+model.inner._target_=os.system",
        "+data.label_map={a: [{_target_: os.system}]}",
        "tracking._target_=os.system",
        "+trainer._target_=os.system",
        "+evaluation.metrics.m=os.system",
        "+model._partial_=true",
    ],
)
def test_code_is_found_wherever_it_is_named(override: str) -> None:
    config = composed("data=files", override) if "label_map" in override else composed(override)
    ((key, _),) = foreign(config, list(config))
    assert "_" in key or key == "evaluation.metrics.m"


def test_the_path_of_a_tokenizer_is_code() -> None:
    config = composed("tokenizer=callable", "tokenizer.path=os.system")
    assert list(foreign(config, list(config))) == [("tokenizer.path", "os.system")]


@pytest.mark.parametrize(
    ("override", "may"),
    [
        ("hydra/launcher=pool", False),
        ("hydra.launcher.n_jobs=2", False),
        ("hydra.launcher.partition=long-1", False),
        ("hydra.sweep.dir='a b'", False),
        ("hydra.sweep.subdir=${hydra.job.num}_${model.hidden_size}", False),
        ("hydra.sweep.subdir='a b/${hydra.job.override_dirname}'", False),
        ("hydra.sweep.subdir=/home/me", True),
        ("hydra.sweep.subdir= '/home/me'", True),
        ("hydra.sweep.subdir=a/../../me", True),
        ("hydra.sweep.subdir=${oc.env:HOME}", True),
        ("hydra.sweep.subdir=str(/home/me)", True),
        ("model.hidden_size=3", False),
        ("hydra.launcher.address=10.0.0.1:6379", True),
        ("+hydra.launcher.setup=[evil]", True),
        ("hydra.launcher.partition=${oc.env:X}", True),
        ('hydra.launcher.partition="x\nevil"', True),
        ("hydra.launcher._target_=evil", True),
        ("+hydra/callbacks=x", True),
        ("hydra={}", True),
        ("~hydra", True),
        ("~hydra.callbacks", True),
        ("experiment=mine", False),
        ("experiment=[glove,post_fixed]", False),
        ("model=lstm,gru", False),
        ("model=choice(lstm,gru)", False),
        ("model=glob(*)", False),
        ("~tracking", False),
        ("~tracking=none", False),
        ("seed=1,2", False),
        ("seed=range(1,5)", False),
        ("experiment=null", False),
        ("cache_dir=/tmp/../x", False),
        ("data.path=../x.csv", False),
        ("text={clean: {html: 'a/b'}}", False),
        ("experiment=../../../x/pwn", True),
        ("+experiment='../../../x/pwn'", True),
        ("experiment=sub/pwn", True),
        ("experiment=/tmp/pwn", True),
        ("experiment=[glove,../pwn]", True),
        ("experiment=[glove],[../pwn]", True),
        ("model=lstm,../../proc/self/cwd/pwn", True),
        ("model=shuffle(choice(lstm,'../pwn'))", True),
        ("model=str(../pwn)", True),
        ("model=${oc.env:X}", True),
        ("data/../x=y", False),  # no override at all
        ("+data@hydra.job_logging=demo", True),
        ("data@_global_=demo", True),
        ("--config-dir=x", True),
        ("-cd", True),
    ],
)
def test_recorded_overrides_are_told_apart_by_what_they_can_run(override: str, may: bool) -> None:
    assert may_run_code([override]) == ([override] if may else [])
