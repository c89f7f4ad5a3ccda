from __future__ import annotations

import pytest

from sentexp.sweep.point import Point, run_name, short_names


def test_a_point_has_a_text_per_key() -> None:
    point = Point(("a.b=1", "model=lstm", "c='x=y'"))
    assert point.values == {"a.b": "1", "model": "lstm", "c": "'x=y'"}
    assert str(point) == "a.b=1 model=lstm c='x=y'"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model.num_layers=2", "optimizer=sgd", "+evaluation.metrics.mcc=a.b"], "num_layers=2 optimizer=sgd mcc=a.b"),
        (["model.seed=1", "data.seed=2"], "model.seed=1 data.seed=2"),
        (["~schedule", "seed=3"], "~schedule seed=3"),
        (["tracking.experiment=x", "cache_dir=/tmp/x", "seed=3"], "seed=3"),
        (["tracking.experiment=x"], "imdb lstm"),
        ([], "imdb lstm"),
    ],
)
def test_a_single_run_is_named_by_what_was_changed_or_by_its_data_and_model(overrides: list[str], name: str) -> None:
    assert run_name(overrides, {"model": "lstm", "data": "imdb", "optimizer": "adam"}) == name


def test_a_run_of_which_nothing_is_known_has_no_name() -> None:
    assert run_name([], {}) is None


def test_a_short_name_is_the_last_part_of_a_key_unless_two_share_it() -> None:
    keys = ["model.num_layers", "model.seed", "data.seed", "lr"]
    assert short_names(keys) == {
        "model.num_layers": "num_layers",
        "model.seed": "model.seed",
        "data.seed": "data.seed",
        "lr": "lr",
    }
