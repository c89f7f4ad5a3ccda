"""The points of a sweep, from its command line."""

from __future__ import annotations

import pytest
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from sentexp.config import conf_dir
from sentexp.errors import SentexpError
from sentexp.sweep.plan import Plan
from sentexp.sweep.point import Point


@pytest.fixture(autouse=True, scope="module")
def hydra():
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def points(*overrides: tuple[str, ...]) -> list[Point]:
    return [Point(one) for one in overrides]


def plan(*arguments: str, **space: str) -> Plan:
    return Plan.of(arguments, space, GlobalHydra.instance().config_loader())


AXES = st.sampled_from(
    ["a=1,2", "a=3", "b=x,y,z", "b='a b',c", "c=range(0,3)", "c=range(1.0,2.0,0.5)", "d=choice(1,2)", "e=[1,2],[3]",
     "+f=1,2", "model=glob(*)", "g=null,true", "h=sort(3,1,2)", "~i", "j={k:1},{k:2}", "seed=1,2"]
)  # fmt: skip


@given(st.lists(AXES, max_size=4))
def test_points_and_their_order_are_those_of_hydras_basic_sweeper(arguments: list[str]) -> None:
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    (theirs,) = BasicSweeper.split_arguments(parser.parse_overrides(arguments), None)
    ours = plan(*arguments)
    assert [[text.replace("~i=null", "~i") for text in overrides] for overrides in theirs] == [
        ours.overrides_of(point) for point in ours.points()
    ]


def test_a_point_is_what_varies() -> None:
    made = plan("seed=3", "a=1,2", "b=5", "c=x,y")
    assert made.points() == points(("a=1", "c=x"), ("a=1", "c=y"), ("a=2", "c=x"), ("a=2", "c=y"))
    assert made.overrides_of(Point(("a=2", "c=x"))) == ["seed=3", "a=2", "b=5", "c=x"]
    assert made.swept == ("a", "c")


def test_the_command_line_adds_to_the_space_and_replaces_it() -> None:
    made = plan("b=7", "c=5,6", a="choice(1,2)", b="choice(3,4)")
    assert made.points() == points(("a=1", "c=5"), ("a=1", "c=6"), ("a=2", "c=5"), ("a=2", "c=6"))
    assert made.overrides_of(Point(("a=1", "c=5"))) == ["a=1", "b=7", "c=5"]


def test_keys_of_the_section_sweep_do_not_reach_the_jobs() -> None:
    made = plan("sweep=lstm", "sweep.n_trials=3", "a=1,2")
    assert made.overrides_of(Point(("a=1",))) == ["a=1"]
    with pytest.raises(SentexpError, match="holds for the whole sweep"):
        plan("sweep.n_trials=3,4")


def test_a_grid_refuses_an_interval() -> None:
    with pytest.raises(SentexpError, match=r"a=interval\(0,1\).*sweep\.sampler=tpe"):
        plan("a=interval(0,1)").points()


def test_each_value_is_checked_with_the_first_and_with_the_last_of_the_others() -> None:
    checked = plan("a=1,2,3", "b=range(0,9)", "c=interval(0.0,1.0)").points_to_check()
    pairs = [(first.overrides, last.overrides) for first, last in checked]
    assert pairs[0] == (("a=1", "b=0", "c=0.0"), ("a=3", "b=8", "c=1.0"))
    assert (("a=2", "b=0", "c=0.0"), ("a=2", "b=8", "c=1.0")) in pairs
    assert {point[1] for pair in pairs for point in pair} == {"b=0", "b=8"}
    assert (("a=1", "b=0", "c=0.318"), ("a=3", "b=8", "c=0.318")) in pairs


def test_if_nothing_varies_there_is_one_point() -> None:
    assert plan("a=1").points() == [Point(())]
    assert list(plan("a=1").points_to_check()) == [(Point(()), Point(()))]
