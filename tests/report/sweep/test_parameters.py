from __future__ import annotations

from pathlib import Path

import made_up_sweeps as made_up
import numpy as np
import pytest

from sentexp.report.sweep.parameters import Parameter, parameters
from sentexp.sweep.point import Point
from sentexp.sweep.results import PointResult


def axis(*values: object, key: str = "optimizer.lr") -> Parameter:
    points = [PointResult(Point((f"{key}={value}",)), (0.5,), None, 1, ("finished",), ()) for value in values]
    (parameter,) = parameters([key], points)
    return parameter


@pytest.mark.parametrize(
    ("values", "scale", "categories"),
    [
        ([128, 64, 128], "categorical", ["64", "128"]),  # few numbers: side by side, ascending
        ([1, 0.5, 1e-3], "categorical", ["0.001", "0.5", "1"]),
        (["true", "false"], "categorical", ["false", "true"]),
        (["glove", "random", "glove"], "categorical", ["glove", "random"]),  # in the order of the points
        (["null", 3, "[a,b]", "true"], "categorical", ["null", "3", "[a,b]", "true"]),
        (list(range(20)), "linear", []),
        (list(np.geomspace(1e-5, 1e-1, 20)), "log", []),
        (list(np.linspace(1e-4, 0.5, 20)), "linear", []),  # one small number makes no logarithmic axis
        (list(np.linspace(-1, 1, 20)), "linear", []),
    ],
)
def test_the_values_choose_the_axis(values: list[object], scale: str, categories: list[str]) -> None:
    parameter = axis(*values)
    assert (parameter.scale, parameter.categories) == (scale, categories)
    fractions = parameter.fractions()
    assert ((fractions >= 0) & (fractions <= 1)).all()
    assert all(-1e-9 <= fraction <= 1 + 1e-9 for fraction, _ in parameter.ticks())
    assert len(parameter.ticks()) >= 2


def test_a_category_is_the_middle_of_its_share() -> None:
    assert list(axis("a", "b").fractions()) == [0.25, 0.75]
    assert axis("a", "b").ticks() == [(0.25, "a"), (0.75, "b")]


def test_many_categories_have_few_ticks() -> None:
    assert len(axis(*(f"word{number}" for number in range(100))).ticks()) <= 16


def test_a_key_that_a_point_leaves_out_is_said_to_be_not_set() -> None:
    points = [PointResult(Point((override,)), (0.5,), None, 1, ("finished",), ()) for override in ("a=1", "b=2")]
    assert [parameter.texts for parameter in parameters(["a", "b"], points)] == [["1", "not set"], ["not set", "2"]]


def test_points_that_leave_a_key_out_have_a_place_of_their_own(tmp_path: Path) -> None:
    results = made_up.left_out(tmp_path)
    keys = {parameter.key: parameter for parameter in parameters(results.swept, results.points())}
    has_rate = np.array(["optimizer.lr" in point.point.values for point in results.points()])
    for key, scale in (("optimizer.lr", "log"), ("optimizer.amsgrad", "categorical")):
        parameter = keys[key]
        assert parameter.scale == scale
        np.testing.assert_array_equal(parameter.is_set, has_rate)
        assert parameter.varies
        fractions = parameter.fractions()
        assert fractions[~has_rate].max() < fractions[has_rate].min()
        assert fractions.max() <= 1
        (place, text), *_ = sorted(parameter.ticks())
        assert text == "not set"
        assert np.allclose(fractions[~has_rate], place)
    assert keys["model.hidden_size"].scale == "linear"
    assert keys["model"].is_set.all()


def test_a_key_with_one_value_that_some_points_leave_out_does_not_vary() -> None:
    points = [PointResult(Point(overrides), (0.5,), None, 1, ("finished",), ()) for overrides in (("a=1",), ())]
    (parameter,) = parameters(["a"], points)
    assert (parameter.varies, parameter.categories) == (False, ["not set", "1"])
