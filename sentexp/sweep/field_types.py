"""Whether values that a file holds have the types of the fields that they are read into. The file may be anyone's."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints


def misfit(values: Mapping[str, Any], schema: type) -> str | None:
    """Return the name of the first value that has not the type of its field in a dataclass; None if all have.

    A whole number is a float as well, true and false are no numbers.
    """
    kinds = _kinds(schema)
    return next((name for name, value in values.items() if not fits(value, kinds[name])), None)


def fits(value: Any, kind: Any) -> bool:
    """Return True if a value is of a type such as `list[dict[str, float]]` or `int | None`."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is dict:
        return isinstance(value, dict) and all(fits(one, inner[0]) and fits(value[one], inner[1]) for one in value)
    if origin in (list, tuple):
        return isinstance(value, origin) and all(fits(one, inner[0]) for one in value)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


@functools.cache
def _kinds(schema: type) -> dict[str, Any]:
    return get_type_hints(schema)
