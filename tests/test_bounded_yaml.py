from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sentexp
from sentexp.bounded_yaml import MOST_VALUES, TooMuch, loaded
from sentexp.errors import SentexpError

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{letter}: &{letter} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, letter in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A thousand million values in 500 bytes."""


@pytest.mark.parametrize("text", [LAUGHS, "a: &a [*a]", "&a {b: *a}", "[" * 200 + "]" * 200, "[" * 400])
def test_a_text_that_means_too_much_is_refused_at_once(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(yaml.YAMLError):
        loaded(text)
    assert time.monotonic() - began < 2


def test_aliases_within_reason_are_read() -> None:
    assert loaded("a: &a [1, 2]\nb: [*a, *a]\nc: {<<: &m {x: 1}, y: *a}\nd: *m") == {
        "a": [1, 2], "b": [[1, 2], [1, 2]], "c": {"x": 1, "y": [1, 2]}, "d": {"x": 1},
    }  # fmt: skip
    assert loaded("") is None
    assert len(loaded(f"[{'1,' * (MOST_VALUES - 10)}]")) == MOST_VALUES - 10
    with pytest.raises(TooMuch, match="more than 100,000 values"):
        loaded(f"[{'1,' * MOST_VALUES}]")


@pytest.mark.parametrize(
    "text", ["2023-99-99", "{[1]: 2}", "!!timestamp x", "!!python/object:os.system {}", "!!int x", "\0"]
)
def test_a_value_that_is_none_is_an_error_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        loaded(text)


@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one, max_size=4)))
def test_plain_values_are_read_as_they_were_written(value: object) -> None:
    assert loaded(yaml.safe_dump(value)) == value


def test_a_file_of_the_user_that_means_too_much_is_named(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{LAUGHS}")
    began = time.monotonic()
    with pytest.raises(SentexpError, match=r"mine\.yaml: its aliases stand for more than 100,000 values; expected "):
        sentexp.compose(f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")
    assert time.monotonic() - began < 5
