from __future__ import annotations

import importlib.util

import pytest
from omegaconf import OmegaConf

from hydra_plugins.sentexp_launchers.extras import require
from sentexp.errors import SentexpError


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/launcher": "ray"}}}})
    with pytest.raises(SentexpError) as refused:
        require("ray", "ray", config)
    assert str(refused.value) == ("hydra/launcher=ray: needs the extra ray: pip install -c constraints.txt -e '.[ray]'")
