"""The points of a sweep, from its command line."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from sentexp.config import conf_dir
from sentexp.errors import SentexpError
from sentexp.sweep.options import Options
from sentexp.sweep.plan import Plan
from sentexp.sweep.point import Point


@pytest.fixture(autouse=True, scope="module")
def hydra():
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def points(*overrides: tuple[str, ...]) -> list[Point]:
    return [Point(one) for one in overrides]


@functools.cache
def composed() -> DictConfig:
    return compose("config", return_hydra_config=True)


def plan(*arguments: str, **space: str) -> Plan:
    return Plan.of(arguments, space, composed(), GlobalHydra.instance().config_loader())


AXES = st.sampled_from(
    ["a=1,2", "a=3", "b=x,y,z", "b='a b',c", "c=range(0,3)", "c=range(1.0,2.0,0.5)", "d=choice(1,2)", "e=[1,2],[3]",
     "+f=1,2", "model=glob(*)", "g=null,true", "h=sort(3,1,2)", "~i", "j={k:1},{k:2}", "seed=1,2"]
)  # fmt: skip


@given(st.lists(AXES, max_size=4))
@settings(deadline=None)
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


SIZES = "model.hidden_size=tag(lstm,choice(16,32))"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["model=lstm,bag_of_words", SIZES],
            ["model=lstm model.hidden_size=16", "model=lstm model.hidden_size=32", "model=bag_of_words"],
        ),
        (
            [SIZES, "model=bag_of_words,lstm"],
            ["model=bag_of_words", "model.hidden_size=16 model=lstm", "model.hidden_size=32 model=lstm"],
        ),
        (
            ["model=lstm,gru,nb_ngrams",
             "model.num_layers=tag(gru,lstm,range(1,3))", "model.C=tag(nb_ngrams,choice(9))"],
            ["model=lstm model.num_layers=1", "model=lstm model.num_layers=2", "model=gru model.num_layers=1",
             "model=gru model.num_layers=2", "model=nb_ngrams model.C=9"],
        ),
        (["model=lstm,bag_of_words", "model.hidden_size=tag(lstm,choice(16))"],
         ["model=lstm model.hidden_size=16", "model=bag_of_words"]),
        ([SIZES], ["model.hidden_size=16", "model.hidden_size=32"]),  # the configuration's own model
        ([SIZES, "model=bag_of_words"], [""]),
        ([SIZES, "model=lstm"], ["model.hidden_size=16", "model.hidden_size=32"]),
        (["+" + SIZES, "model=lstm"], ["+model.hidden_size=16", "+model.hidden_size=32"]),
        (["seed=1,1", SIZES, "model=gru"], ["seed=1", "seed=1"]),  # what was asked for twice
        (
            ["experiment=glove,post", "embedding.thaw_after=tag(glove,choice(1,2))"],  # a preset's option
            ["experiment=glove embedding.thaw_after=1", "experiment=glove embedding.thaw_after=2", "experiment=post"],
        ),
        (
            ["experiment=glove,post", "embedding=random", "embedding.thaw_after=tag(glove,choice(1,2))"],
            ["experiment=glove", "experiment=post"],  # the command line's option comes after a preset's
        ),
    ],
)  # fmt: skip
def test_a_marked_key_is_left_out_where_no_option_of_its_mark_is_chosen(
    arguments: list[str], expected: list[str]
) -> None:
    made = plan(*arguments)
    assert [str(point) for point in made.points()] == expected
    fixed = [text for text in arguments if text.startswith(("model=", "embedding=")) and "," not in text]
    assert all(set(made.overrides_of(point)) == {*point.overrides, *fixed} for point in made.points())


def test_the_space_may_have_marks_which_the_command_line_replaces() -> None:
    space = {"model": "choice(lstm,bag_of_words)", "model.hidden_size": "tag(lstm,choice(16,32))"}
    assert len(plan(**space).points()) == 3
    assert [str(point) for point in plan("model=bag_of_words", **space).points()] == [""]
    marked_anew = plan("model=gru", "model.hidden_size=tag(gru,choice(4))", **space)
    assert [str(point) for point in marked_anew.points()] == ["model.hidden_size=4"]


OPTIONS = ("lstm", "gru", "bag_of_words", "nb_ngrams")
MARKED = st.dictionaries(
    st.sampled_from(["model.a", "model.b", "model.c"]),
    st.tuples(st.sets(st.sampled_from(OPTIONS), min_size=1), st.integers(1, 3)),
)


@functools.cache
def options() -> Options:
    return Options(composed(), GlobalHydra.instance().config_loader())


@settings(max_examples=50, deadline=None)
@given(MARKED, st.lists(st.sampled_from(OPTIONS), min_size=1, unique=True), st.data())
def test_a_point_has_each_key_that_belongs_to_its_option_and_stands_there_once(
    marked: dict[str, tuple[set[str], int]], models: list[str], data: st.DataObject
) -> None:
    axes = [f"{key}=tag({','.join(mark)},range(0,{count}))" for key, (mark, count) in marked.items()]
    arguments = data.draw(st.permutations([*axes, f"model=choice({','.join(models)})", "seed=1,2"]))
    made = dataclasses.replace(plan(*arguments), options=options())  # what they found is kept between examples
    points = made.points()
    expected = set()
    for model, seed in itertools.product(models, "12"):
        kept = {key: map(str, range(count)) for key, (mark, count) in marked.items() if model in mark}
        for values in itertools.product(*kept.values()):
            expected.add(frozenset({"model": model, "seed": seed, **dict(zip(kept, values, strict=True))}.items()))
    assert {frozenset(point.values.items()) for point in points} == expected
    assert len(points) == len(expected)
    order = list(made.swept)
    assert all(sorted(point.values, key=order.index) == list(point.values) for point in points)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("model.hidden_size=tag(lsmt,choice(1,2))", r"the tag lsmt is not one of .*, log; did you mean lstm\?"),
        ("optimizer.lr=tag(sgd,lgo,choice(1,2))", r"the tag lgo is not one of .*; did you mean log\?"),
        ("model.hidden_size=tag(adam,choice(1,2))", r"the tag adam is not one of bag_of_words, .*"),
        ("seed=tag(lstm,choice(1,2))", "seed is no key of a group of options; expected no tag lstm"),
        ("model=tag(lstm,choice(gru,lstm))", "model is no key of a group of options; expected no tag lstm"),
        ("text.max_length=tag(lstm,choice(3,4))", "text.max_length is no key of a group of options; .*"),
    ],
)
def test_a_tag_that_is_no_option_of_the_keys_group_is_refused(argument: str, words: str) -> None:
    with pytest.raises(SentexpError, match=f"^{re.escape(argument)}: {words}$"):
        plan(argument)


def test_a_key_is_marked_once() -> None:
    with pytest.raises(SentexpError, match=r"^optimizer\.lr=tag\(sgd,.*: optimizer\.lr has a tag above already; "):
        plan("optimizer.lr=tag(adam,choice(1,2))", "optimizer.lr=tag(sgd,choice(1,2))")


def test_values_of_a_marked_key_are_checked_with_each_of_its_options() -> None:
    made = plan("model=bag_of_words,gru,lstm", "model.hidden_size=tag(lstm,gru,choice(1,2,3))", "seed=1,2")
    pairs = [(str(first), str(last)) for first, last in made.points_to_check()]
    assert pairs[0] == ("model=bag_of_words seed=1", "model=lstm model.hidden_size=3 seed=2")
    for model, size in itertools.product(("gru", "lstm"), (1, 2, 3)):
        chosen = f"model={model} model.hidden_size={size}"
        assert (f"{chosen} seed=1", f"{chosen} seed=2") in pairs


def test_keys_are_left_out_never_sometimes_or_always() -> None:
    sizes = "model.hidden_size=tag(lstm,choice(1,2))"
    found = [
        (made.never, made.sometimes) for made in (plan(sizes), plan(sizes, "model=gru"), plan(sizes, "model=gru,lstm"))
    ]
    assert found == [([], []), (["model.hidden_size"], []), ([], ["model.hidden_size"])]
