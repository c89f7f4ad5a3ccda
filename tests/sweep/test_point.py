from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point, run_name, short_names, short_text
from sentexp.sweep.progress import ended_line


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
        (["data=files", "data.path='/home/anna/my reviews.csv'"], "data=files path=my reviews.csv"),
        (["data.train=/a/train.csv", "data.test=/a/test", "data.name=a/b"], "train=train.csv test=test name=a/b"),
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


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0.0018410729205738696", "0.001841"),
        ("1.8410729205738696e-05", "1.841e-05"),
        ("-0.123456789", "-0.1235"),
        ("0.001234", "0.001234"),  # no longer than what is shown whole
        ("1234567890123", "1234567890123"),  # no fraction
        ("'0.0018410729205738696'", "'0.0018410729205738696'"),  # a text
        ("bag_of_words", "bag_of_words"),
        ("[0.123456789,0.5]", "[0.123456789,0.5]"),
        ("inf", "inf"),
        ("", ""),
    ],
)
def test_a_long_fraction_is_shown_with_four_digits(text: str, short: str) -> None:
    assert short_text(text) == short
    assert Point((f"a.b={text}", "c=1")).short == f"a.b={short} c=1"
    assert str(Point((f"a.b={text}",))) == f"a.b={text}"


@given(st.floats(-1e300, 1e300).filter(lambda value: value == 0 or abs(value) > 1e-300))
def test_a_short_text_is_the_number_to_within_half_of_its_fourth_digit(value: float) -> None:
    assert float(short_text(repr(value))) == pytest.approx(value, rel=5.1e-4, abs=0)


def test_a_name_and_a_line_show_four_digits() -> None:
    job = JobRecord(3, Point(("optimizer.lr=0.0018410729205738696", "~x")), None, "finished", "3", values=(0.5,))
    assert job.run_name == "3 lr=0.001841 ~x"
    assert ended_line(job) == "job 3  optimizer.lr=0.001841 ~x  finished 0.5000"
    assert run_name(["optimizer.lr=0.0018410729205738696"], {}) == "lr=0.001841"
