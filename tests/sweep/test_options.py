"""Which options the groups have, and which of them overrides choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException

from sentexp.config import conf_dir
from sentexp.sweep.options import Options


@pytest.fixture
def options(tmp_path: Path) -> Iterator[Options]:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("_target_: x\n")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "trial.yaml").write_text("# @package _global_\ndefaults: [{override /model: mine}]\n")
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        overrides = [f"hydra.searchpath=[file://{tmp_path}]"]
        config = compose("config", overrides=overrides, return_hydra_config=True)
        yield Options(config, GlobalHydra.instance().config_loader())


def test_a_groups_options_are_the_built_in_ones_and_the_users(options: Options) -> None:
    assert {"lstm", "mine"} < set(options.of("model"))
    assert options.of("seed") == ()


def test_an_option_is_chosen_by_the_configuration_an_override_or_a_preset(options: Options) -> None:
    assert options.chosen([])["model"] == "lstm"
    assert options.chosen(["model=gru"])["model"] == "gru"
    assert options.chosen(["experiment=trial"])["model"] == "mine"
    assert options.chosen(["experiment=trial", "model=gru"])["model"] == "gru"
    with pytest.raises(MissingConfigException):
        options.chosen(["model=lsmt"])
