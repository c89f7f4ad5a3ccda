"""The harness that kills real trainings, a few times."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).parents[2] / "experiments" / "reliability" / "kills.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
@pytest.mark.parametrize(("processes", "trainings"), [(1, 3), (2, 2)])
def test_a_training_that_is_killed_twice_is_as_if_never_stopped(processes: int, trainings: int) -> None:
    spec = importlib.util.spec_from_file_location("kills", KILLS)
    assert spec is not None
    assert spec.loader is not None
    kills = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = kills  # where its dataclass looks for its annotations
    spec.loader.exec_module(kills)
    outcomes = kills.killed(trainings, 2, f"trainer.processes={processes}")
    assert [outcome.problems for outcome in outcomes] == [()] * trainings
    assert sum(len(outcome.steps) for outcome in outcomes) > trainings
