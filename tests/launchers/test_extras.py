from __future__ import annotations

import importlib.util

import pytest
from omegaconf import OmegaConf

from hydra_plugins.sentexp_launchers.extras import require
from sentexp.errors import SentexpError


@pytest.mark.parametrize(
    ("launcher", "module", "extra"),
    [("ray", "ray", "ray"), ("pool", "cloudpickle", "pool"), ("joblib", "cloudpickle", "pool")],
)
def test_a_missing_extra_is_named_with_the_launcher_that_was_chosen(monkeypatch, launcher, module, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/launcher": launcher}}}})
    with pytest.raises(SentexpError) as refused:
        require(module, extra, config)
    assert str(refused.value) == (
        f"hydra/launcher={launcher}: needs the extra {extra}: pip install -c constraints.txt -e '.[{extra}]'"
    )
