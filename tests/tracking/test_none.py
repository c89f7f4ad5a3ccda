from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from sentexp.tracking.interface import Run
from sentexp.tracking.mlflow_run import MlflowRun
from sentexp.tracking.none import NoRun, NoTracking

METHODS = [name for name in vars(Run) if not name.startswith("_")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("implementation", [NoRun, MlflowRun])
def test_both_trackers_offer_the_same(implementation: type, method: str) -> None:
    expected = inspect.signature(getattr(Run, method)).parameters
    assert list(inspect.signature(getattr(implementation, method)).parameters) == list(expected)


def test_nothing_is_recorded_and_exceptions_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with NoTracking().run(parent_run_id="x") as run:
        run.log_config({"seed": 0})
        run.log_metrics({"train/loss": 0.5}, step=1)
        assert run.log_model(tmp_path) is None
        assert run.location() is None
    with pytest.raises(KeyError), NoTracking().run():
        raise KeyError
    assert list(tmp_path.iterdir()) == []
