from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from sentexp.sweep.field_types import fits, misfit


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, int), (1, float), (1.5, float), (float("nan"), float), (True, bool), ("a", str), (None, str | None),
        ([], list[str]), (["a"], list[str]), ((1.0, 2), tuple[float, ...]), ({"a": 1}, dict[str, float]),
        ([{"a": 0.5}], list[dict[str, float]]), ({"a": [1]}, dict[str, Any]),
    ],
)  # fmt: skip
def test_a_value_of_its_type_fits(value: object, kind: Any) -> None:
    assert fits(value, kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, int), (True, float), (1, bool), (1.5, int), ("1", int), (None, str), (b"a", str), ("ab", list[str]),
        ([1], list[str]), ([0.5], tuple[float, ...]), ({1: 1.0}, dict[str, float]), ({"a": "b"}, dict[str, float]),
        ([{"a": None}], list[dict[str, float]]), ([], int | None), ({1: 2}, dict[str, Any]),
    ],
)  # fmt: skip
def test_any_other_does_not(value: object, kind: Any) -> None:
    assert not fits(value, kind)


def test_the_first_field_of_another_type_is_named() -> None:
    @dataclass
    class Named:
        number: int
        text: str | None = None

    assert misfit({"number": 1, "text": "a"}, Named) is None
    assert misfit({"number": 1, "text": 2}, Named) == "text"
