from __future__ import annotations

from pathlib import Path

import made_up_sweeps

from sentexp.report.sweep.points import count_states, describe_point
from sentexp.sweep.point import Point
from sentexp.sweep.results import PointResult


def test_a_point_is_described_by_the_ends_of_its_keys_where_they_are_clear(tmp_path: Path) -> None:
    results = made_up_sweeps.grid(tmp_path)
    assert describe_point(results.points()[0], results.swept) == "bidirectional=false, num_layers=1, hidden_size=64"
    point = PointResult(Point(("model.seed=1", "data.seed=0.123456789", "~x")), None, None, 0, (), ())
    assert describe_point(point, ["model.seed", "data.seed", "x"]) == "model.seed=1, data.seed=0.1235, x=deleted"


def test_states_are_counted_in_words() -> None:
    assert count_states(["failed", "finished", "finished"]) == "2 finished, 1 failed"
    assert count_states([]) == ""
