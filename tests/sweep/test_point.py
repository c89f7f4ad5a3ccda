from __future__ import annotations

from sentexp.sweep.point import Point, short_names


def test_a_point_has_a_text_per_key() -> None:
    point = Point(("a.b=1", "model=lstm", "c='x=y'"))
    assert point.values == {"a.b": "1", "model": "lstm", "c": "'x=y'"}
    assert str(point) == "a.b=1 model=lstm c='x=y'"


def test_a_short_name_is_the_last_part_of_a_key_unless_two_share_it() -> None:
    keys = ["model.num_layers", "model.seed", "data.seed", "lr"]
    assert short_names(keys) == {
        "model.num_layers": "num_layers",
        "model.seed": "model.seed",
        "data.seed": "data.seed",
        "lr": "lr",
    }
