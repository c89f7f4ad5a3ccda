"""From Hydra's sweeps to Optuna's parameters and distributions."""

from __future__ import annotations

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sentexp.config import check, conf_dir, typed_section
from sentexp.errors import SentexpError
from sentexp.schema import SweepConfig
from sentexp.sweep.distributions import GridParameters, drawn_point, search_distributions
from sentexp.sweep.plan import Plan
from sentexp.sweep.point import Point


def plan(*arguments: str) -> Plan:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return Plan.of(arguments, {}, GlobalHydra.instance().config_loader())


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(0,1)", FloatDistribution(0, 1)),
        ("int(interval(1,9))", IntDistribution(1, 9)),
        ("tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("tag(log,int(interval(16,256)))", IntDistribution(16, 256, log=True)),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("range(5,1,-2)", IntDistribution(3, 5, step=2)),
        ("range(0.0,0.5,0.25)", FloatDistribution(0.0, 0.25, step=0.25)),
        ("choice(last,max)", CategoricalDistribution(["last", "max"])),
        ("1,2", CategoricalDistribution(["1", "2"])),
    ],
)
def test_a_search_draws_from_each_kind_of_sweep(text: str, distribution: BaseDistribution) -> None:
    assert search_distributions(plan(f"a={text}")) == {"a": distribution}


@pytest.mark.parametrize("text", ["interval(1,0)", "tag(log,interval(0,1))", "tag(log,range(0,5))"])
def test_what_has_no_distribution_is_refused_by_a_search(text: str) -> None:
    with pytest.raises(SentexpError, match=r"^a="):
        search_distributions(plan(f"a={text}"))


def test_what_a_search_draws_is_written_as_overrides() -> None:
    assert drawn_point({"a.b": 0.1, "c": 3, "model": "lstm"}) == Point(("a.b=0.1", "c=3", "model=lstm"))


@pytest.mark.parametrize("preset", ["lstm", "optimizer", "regularization"])
def test_a_preset_can_be_searched_and_composes_at_each_of_its_values(preset: str) -> None:
    arguments = [f"sweep={preset}"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        settings = typed_section(compose("config", overrides=arguments).sweep, SweepConfig, "sweep.")
        preset_plan = Plan.of(arguments, settings.space, GlobalHydra.instance().config_loader())
        assert search_distributions(preset_plan)
        for point, _ in preset_plan.points_to_check():
            check(compose("config", overrides=preset_plan.overrides_of(point)))


@pytest.mark.parametrize(
    ("text", "distribution", "values"),
    [
        ("range(0,10,3)", IntDistribution(0, 9), [0, 3, 6, 9]),
        ("range(5,1,-2)", IntDistribution(3, 5), [5, 3]),
        ("range(0.0,0.5,0.2)", FloatDistribution(0.0, 0.4), [0.0, 0.2, 0.4]),
        ("tag(log,range(0,3))", IntDistribution(0, 2), [0, 1, 2]),
        ("1e-2,1e-3,1", CategoricalDistribution([0.001, 0.01, 1]), [0.01, 0.001, 1]),
        ("1,1.0", CategoricalDistribution([1]), [1, 1.0]),
        ("3,3", CategoricalDistribution([3]), [3, 3]),
        ("last,max", CategoricalDistribution(["last", "max"]), ["last", "max"]),
        ("1,null", CategoricalDistribution(["1", "null"]), ["1", "null"]),
        ("1,true", CategoricalDistribution(["1", "True"]), ["1", "True"]),
        ("1,inf", CategoricalDistribution(["1", "inf"]), ["1", "inf"]),
        ("'a=b',[1,2]", CategoricalDistribution(["'a=b'", "[1,2]"]), ["'a=b'", "[1,2]"]),
        ("choice(7)", CategoricalDistribution([7]), [7]),
    ],
)
def test_the_points_of_a_grid_have_parameters(text: str, distribution: BaseDistribution, values: list[object]) -> None:
    grid_plan = plan(f"+a.b={text}", "c=1")
    grid = GridParameters(grid_plan)
    assert grid.distributions == {"+a.b": distribution}
    assert [grid.at(point) for point in grid_plan.points()] == [{"+a.b": value} for value in values]
    for point in grid_plan.points():  # Optuna accepts them
        optuna.trial.create_trial(value=0.0, params=grid.at(point), distributions=grid.distributions)


def test_a_shuffled_grid_has_the_same_distributions_each_time() -> None:
    text = "a=shuffle(d,b,c,a,e,f)", "b=shuffle(range(0,50))"
    first, second = (GridParameters(plan(*text)).distributions for _ in range(2))
    assert first == second


def test_a_grid_of_one_point_has_no_parameters() -> None:
    grid = GridParameters(plan("a=1"))
    assert (grid.distributions, grid.at(Point(()))) == ({}, {})
