from __future__ import annotations

import importlib.util

import pytest
from omegaconf import OmegaConf

from hydra_plugins.sentexp_launchers import _jobs
from sentexp.errors import SentexpError


@pytest.mark.parametrize(
    ("cores", "n_jobs", "width", "threads"),
    [(8, -1, 8, 1), (8, 1, 1, 8), (8, 3, 3, 2), (2, 4, 4, 1), (1, -1, 1, 1)],
)
def test_cores_are_shared_out(monkeypatch, cores, n_jobs, width, threads):
    monkeypatch.setattr(_jobs, "available_cores", lambda: (cores, "as told"))
    assert _jobs.share_cores(n_jobs) == (width, _jobs.threads(threads))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/launcher": "ray"}}}})
    with pytest.raises(SentexpError) as refused:
        _jobs.require("ray", "ray", config)
    assert str(refused.value) == (
        "hydra/launcher=ray: needs the extra ray: pip install -c constraints.txt -e '.[ray]'"
    )
