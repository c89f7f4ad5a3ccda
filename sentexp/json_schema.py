"""The typed schema as a JSON schema, by which editors complete and check YAML files: presets, and any part of a run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from sentexp.schema import OPTIONS, Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"

REFERENCE = {"type": "string", "pattern": r"^\$\{"}
"""What stands for a value of any type: a reference such as ${seed}."""

TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}

BOUNDS = {"at_least": "minimum", "above": "exclusiveMinimum", "at_most": "maximum", "below": "exclusiveMaximum"}

HYDRAS: dict[str, Any] = {
    "defaults": {"type": "array", "description": "Hydra's defaults list: which option of each group is taken."},
    "hydra": {"type": "object", "description": "Hydra's own section."},
}
"""Keys of a preset that are not the configuration's."""


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a preset or of a whole configuration.

    No key is required, since a preset sets some of them. A group takes the keys of any of its options, and with a
    `_target_` of your own any keys.
    """
    return {
        "$schema": DIALECT,
        "title": "sentexp",
        **_object(Config),
        "properties": {**HYDRAS, **_object(Config)["properties"]},
    }


def _object(schema: type) -> dict[str, Any]:
    hints, meanings = get_type_hints(schema), _meanings(schema)
    properties = {}
    for field in dataclasses.fields(schema):
        name = field.name
        if schema is Config and name in OPTIONS:
            described = _group(name)
        elif dataclasses.is_dataclass(hints[name]):
            described = _object(hints[name])
        else:
            described = _value(hints[name], field)
        properties[name] = {**described, **({"description": meanings[name]} if name in meanings else {})}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _group(group: str) -> dict[str, Any]:
    """Describe the section of a group: the keys of all its options, since a preset need not name the option."""
    properties: dict[str, Any] = {}
    for option in OPTIONS[group]:
        for name, described in _object(option)["properties"].items():
            others = properties.setdefault(name, [])
            if described not in others:
                others.append(described)
    known = [option._target_ for option in OPTIONS[group]]  # type: ignore[attr-defined]
    merged = {name: some[0] if len(some) == 1 else {"anyOf": some} for name, some in properties.items()}
    merged["_target_"] = {"type": "string", "description": "The callable that the option configures."}
    own = {"required": ["_target_"], "properties": {"_target_": {"not": {"enum": known}}}}
    return {"type": "object", "properties": merged, "if": own, "else": {"propertyNames": {"enum": sorted(merged)}}}


def _value(kind: Any, field: dataclasses.Field[Any]) -> dict[str, Any]:
    if kind is Any:
        return {}
    accepted = list(get_args(kind)) if get_origin(kind) in (Union, types.UnionType) else [kind]
    shapes: list[dict[str, Any]] = []
    for one in accepted:
        if one is type(None):
            shapes.append({"type": "null"})
        elif get_origin(one) is list:
            shapes.append({"type": "array", "items": _scalar(get_args(one)[0], field.metadata)})
        else:
            shapes.append(_scalar(one, field.metadata))
    return {"anyOf": [*shapes, REFERENCE]}


def _scalar(kind: type, rules: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"type": TYPES[kind]}
    described |= {name: rules[rule] for rule, name in BOUNDS.items() if rule in rules}
    if "choices" in rules:
        described["enum"] = list(rules["choices"])
    if "pattern" in rules:
        described["pattern"] = f"^(?:{rules['pattern']})$"
        if kind is str:  # YAML makes a number of what looks like one
            described["type"] = ["string", "integer"]
    return described


def _meanings(schema: type) -> dict[str, str]:
    """Return the text under each field, which is its documentation."""
    found: dict[str, str] = {}
    for base in reversed(schema.__mro__[:-1]):
        (definition,) = ast.parse(inspect.cleandoc(inspect.getsource(base))).body
        assert isinstance(definition, ast.ClassDef)
        for field, following in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(following, ast.Expr):
                text = ast.literal_eval(following.value)
                found[ast.unparse(field.target)] = " ".join(text.split())
    return found
