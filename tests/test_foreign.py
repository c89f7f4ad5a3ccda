from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sentexp.config import conf_dir
from sentexp.foreign import foreign

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
