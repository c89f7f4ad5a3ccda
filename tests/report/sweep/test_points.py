from __future__ import annotations

from pathlib import Path

import made_up_sweeps
import numpy as np
import pytest

from sentexp.report.sweep.points import Parameter, counts, describe, parameters, shortened
from sentexp.sweep.results import Point


def axis(*values: object, key: str = "optimizer.lr") -> Parameter:
    points = [Point((f"{key}={value}",), (0.5,), None, 1, ("finished",), ()) for value in values]
    (parameter,) = parameters([key], points)
    return parameter


@pytest.mark.parametrize(
    ("values", "scale", "steps"),
    [
        ([128, 64, 128], "steps", ["64", "128"]),  # few numbers: side by side, ascending
        ([1, 0.5, 1e-3], "steps", ["0.001", "0.5", "1"]),
        (["true", "false"], "steps", ["false", "true"]),
        (["glove", "random", "glove"], "steps", ["glove", "random"]),  # in the order of the points
        (["null", 3, "[a,b]", "true"], "steps", ["null", "3", "[a,b]", "true"]),
        (list(range(20)), "linear", []),
        (list(np.geomspace(1e-5, 1e-1, 20)), "log", []),
        (list(np.linspace(1e-4, 0.5, 20)), "linear", []),  # one small number makes no logarithmic axis
        (list(np.linspace(-1, 1, 20)), "linear", []),
    ],
)
def test_the_values_choose_the_axis(values: list[object], scale: str, steps: list[str]) -> None:
    parameter = axis(*values)
    assert (parameter.scale, parameter.steps) == (scale, steps)
    fractions = parameter.fractions()
    assert ((fractions >= 0) & (fractions <= 1)).all()
    assert all(-1e-9 <= fraction <= 1 + 1e-9 for fraction, _ in parameter.ticks())
    assert len(parameter.ticks()) >= 2


def test_a_step_is_the_middle_of_its_share() -> None:
    assert list(axis("a", "b").fractions()) == [0.25, 0.75]
    assert axis("a", "b").ticks() == [(0.25, "a"), (0.75, "b")]


def test_many_steps_have_few_ticks() -> None:
    assert len(axis(*(f"word{number}" for number in range(100))).ticks()) <= 16


def test_a_key_that_a_point_leaves_out_is_said_to_be_not_set() -> None:
    points = [Point((override,), (0.5,), None, 1, ("finished",), ()) for override in ("a=1", "b=2")]
    assert [parameter.texts for parameter in parameters(["a", "b"], points)] == [["1", "not set"], ["not set", "2"]]


def test_a_point_is_described_by_the_ends_of_its_keys_where_they_are_clear(tmp_path: Path) -> None:
    record = made_up_sweeps.grid(tmp_path)
    assert describe(record.points()[0], record.swept) == "bidirectional=false, num_layers=1, hidden_size=64"
    point = Point(("model.seed=1", "data.seed=0.123456789", "~x"), None, None, 0, (), ())
    assert describe(point, ["model.seed", "data.seed", "x"]) == "model.seed=1, data.seed=0.1235, x=deleted"


def test_what_is_too_long_loses_its_middle() -> None:
    assert shortened("reviews_of_the_first.csv", 13) == "review…st.csv"
    assert shortened("short", 13) == "short"


def test_states_are_counted_in_words() -> None:
    assert counts(["failed", "finished", "finished"]) == "2 finished, 1 failed"
    assert counts([]) == ""
