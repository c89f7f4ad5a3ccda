"""From Hydra's sweeps to Optuna's parameters and distributions."""

from __future__ import annotations

from collections.abc import Iterator

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
from optuna.importance import get_param_importances

from sentexp.config import check, conf_dir, typed_section
from sentexp.errors import SentexpError
from sentexp.schema import SweepConfig
from sentexp.sweep import search
from sentexp.sweep.distributions import GridParameters, draw, search_distributions
from sentexp.sweep.plan import Plan
from sentexp.sweep.point import Point


@pytest.fixture(autouse=True, scope="module")
def hydra() -> Iterator[None]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def plan(*arguments: str) -> Plan:
    config = compose("config", return_hydra_config=True)
    return Plan.of(arguments, {}, config, GlobalHydra.instance().config_loader())


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


def test_a_search_draws_points_in_the_order_of_the_command_line() -> None:
    made = plan("a.b=interval(0,1)", "c=range(3,9)", "model=lstm,gru")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    number, point = draw(study, made, search_distributions(made))
    parameters = study.trials[number].params
    assert point.overrides == tuple(f"{key}={parameters[key]}" for key in ("a.b", "c", "model"))


CONDITIONAL = [
    "optimizer.lr=tag(adam,log,interval(1e-4,1e-2))", "optimizer.momentum=tag(sgd,choice(0,0.9))",
    "model.hidden_size=tag(lstm,gru,log,int(interval(4,64)))", "model=lstm,gru,bag_of_words", "optimizer=adam,sgd",
    "model.word_dropout=interval(0.0,0.5)",
]  # fmt: skip


@pytest.mark.parametrize("name", ["random", "tpe", "gp", "nsgaii"])
def test_a_search_draws_a_marked_key_only_with_its_options(name: str, caplog: pytest.LogCaptureFixture) -> None:
    made = plan(*CONDITIONAL)
    overrides = [f"sweep.sampler={name}", "sweep.startup_trials=3"]
    settings = typed_section(compose("config", overrides=overrides).sweep, SweepConfig, "sweep.")
    study = optuna.create_study(sampler=search.sampler(settings, 0, 1))
    keys = set()
    for _ in range(12):
        number, point = draw(study, made, search_distributions(made))
        values = point.values
        assert list(values) == [key for key in made.axes if key in values]
        assert ("optimizer.lr" in values) == (values["optimizer"] == "adam")
        assert ("optimizer.momentum" in values) == (values["optimizer"] == "sgd")
        assert ("model.hidden_size" in values) == (values["model"] != "bag_of_words")
        assert {key: str(value) for key, value in study.trials[number].params.items()} == values
        study.tell(number, float(values["model.word_dropout"]))
        keys |= values.keys()
    assert keys == set(made.axes)
    assert "independent" not in caplog.text  # `search.notes` has said once what is drawn at random
    get_param_importances(study)  # Optuna's own tools accept such trials


def test_a_grid_has_the_parameters_of_each_point() -> None:
    grid_plan = plan("model=lstm,bag_of_words", "model.hidden_size=tag(lstm,choice(16,32))")
    found = [GridParameters(grid_plan).at(point) for point in grid_plan.points()]
    lstm = [{"model": "lstm", "model.hidden_size": size} for size in (16, 32)]
    assert [parameters for parameters, _ in found] == [*lstm, {"model": "bag_of_words"}]
    for parameters, distributions in found:
        optuna.trial.create_trial(value=0.0, params=parameters, distributions=distributions)


@pytest.mark.parametrize("preset", ["lstm", "optimizer", "regularization"])
def test_a_preset_can_be_searched_and_composes_at_each_of_its_values(preset: str) -> None:
    arguments = [f"sweep={preset}"]
    config = compose("config", overrides=arguments, return_hydra_config=True)
    settings = typed_section(config.sweep, SweepConfig, "sweep.")
    preset_plan = Plan.of(arguments, settings.space, config, GlobalHydra.instance().config_loader())
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
    found = [grid.at(point) for point in grid_plan.points()]
    assert found == [({"+a.b": value}, {"+a.b": distribution}) for value in values]
    for parameters, distributions in found:  # Optuna accepts them
        optuna.trial.create_trial(value=0.0, params=parameters, distributions=distributions)


def test_a_shuffled_grid_has_the_same_distributions_each_time() -> None:
    text = "a=shuffle(d,b,c,a,e,f)", "b=shuffle(range(0,50))"
    point = Point(("a=a", "b=7"))
    first, second = (GridParameters(plan(*text)).at(point) for _ in range(2))
    assert first == second


def test_a_grid_of_one_point_has_no_parameters() -> None:
    grid = GridParameters(plan("a=1"))
    assert grid.at(Point(())) == ({}, {})
