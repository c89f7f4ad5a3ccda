"""Checks the keys of a `_target_` of the user's own against its signature, before anything is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sentexp.errors import did_you_mean, one_line
from sentexp.imports import import_object
from sentexp.redact import shown
from sentexp.schema import RUNTIME, Runtime

DECIDED = ("_partial_", "_convert_", "_args_")
"""Keys of Hydra's that an option of a group may not set: the program makes the call. Nested nodes may."""

BY_KEY = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def accepted(target: Callable[..., Any], names: Iterable[str]) -> set[str]:
    """Return those of `names` that `target` takes as keyword arguments: all if it has `**kwargs` or no signature."""
    parameters = _parameters(target)
    if parameters is None or _has(parameters, inspect.Parameter.VAR_KEYWORD):
        return set(names)
    return {parameter.name for parameter in parameters if parameter.kind in BY_KEY} & set(names)


def problems(group: str, node: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with `node`, an option of `group`: each problem names a key, its value and the way out.

    list(problems("model", {"_target_": "my.models.Conv", "hiden": 3}))
    # ["model.hiden=3: my.models.Conv takes no such argument; did you mean hidden? (it takes hidden, kernel)"]
    """
    runtime = RUNTIME.get(group, Runtime())
    for key in DECIDED:
        if key in node:
            yield f"{group}.{key}={shown(node[key])}: the program itself decides this; expected no such key"
    for key, choices in runtime.keys.items():
        if key in node and node[key] not in choices:
            near = did_you_mean(str(node[key]), choices)
            yield f"{group}.{key}={shown(node[key])}: not one of {', '.join(choices)}{near}"
    yield from _call_problems(
        group, {key: value for key, value in node.items() if key not in (*DECIDED, *runtime.keys)}, runtime
    )


def _call_problems(key: str, node: Mapping[str, Any], runtime: Runtime) -> Iterator[str]:
    """Yield what is wrong with the call that `node` describes, and with those of the nodes inside it."""
    target = node["_target_"]
    try:
        called = import_object(str(target))
    except Exception as error:  # importing runs the user's code
        yield f"{key}._target_={target}: cannot be imported ({one_line(error)}); expected package.module.name"
        return
    if not callable(called):
        yield f"{key}._target_={target}: is {type(called).__name__}, expected a class or a function"
        return
    arguments = {name: value for name, value in node.items() if not _is_hydras(name)}
    parameters = _parameters(called)
    if parameters is not None:
        by_position = 1 if runtime.first is not None else len(node.get("_args_", ()))
        yield from _argument_problems(key, node, arguments, parameters, by_position, runtime)
    if node.get("_recursive_", True):
        yield from _nested_problems(key, arguments)
        yield from _nested_problems(f"{key}._args_", node.get("_args_", []))


def _nested_problems(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield from _call_problems(key, value, Runtime())
        else:
            for name, inner in value.items():
                yield from _nested_problems(f"{key}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _nested_problems(f"{key}.{number}", inner)


def _argument_problems(
    key: str,
    node: Mapping[str, Any],
    arguments: Mapping[str, Any],
    parameters: Sequence[inspect.Parameter],
    by_position: int,
    runtime: Runtime,
) -> Iterator[str]:
    target, from_program = node["_target_"], (*runtime.required, *runtime.optional)
    placed = [parameter for parameter in parameters if parameter.kind in BY_POSITION][:by_position]
    if len(placed) < by_position and not _has(parameters, inspect.Parameter.VAR_POSITIONAL):
        given = f"the program gives it {runtime.first}" if runtime.first else f"_args_ holds {by_position}"
        yield f"{key}._target_={target}: takes {len(placed) or 'nothing'} by position; {given}"
    free = [parameter for parameter in parameters if parameter not in placed]
    names = [parameter.name for parameter in free if parameter.kind in BY_KEY]
    takes_any = _has(parameters, inspect.Parameter.VAR_KEYWORD)
    for name in runtime.required:
        if name not in names and not takes_any:
            yield f"{key}._target_={target}: takes no argument {name}, which the program gives it"
    chosen = [name for name in names if name not in from_program]
    it_takes = f"(it takes {', '.join(chosen) or 'none'})"
    for name, value in arguments.items():
        given = f"{key}.{name}={shown(value)}"
        if name in runtime.required or name in [parameter.name for parameter in placed]:
            yield f"{given}: the program itself gives this argument to {target}; expected no such key"
        elif name not in names and not takes_any:
            yield f"{given}: {target} takes no such argument{did_you_mean(str(name), chosen)} {it_takes}"
    if node.get("_partial_", False):
        return
    for parameter in free:
        if parameter.default is not parameter.empty or parameter.name in (*arguments, *from_program):
            continue
        if parameter.kind in BY_KEY:
            yield f"{key}.{parameter.name}: {target} needs a value for it: +{key}.{parameter.name}=... {it_takes}"
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            yield f"{key}._target_={target}: takes {parameter.name} by position only, which no key can give"


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """Return the parameters of `target`; None if it does not tell them, as some built-in functions."""
    try:
        return list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        return None


def _has(parameters: Sequence[inspect.Parameter], kind: Any) -> bool:
    return any(parameter.kind is kind for parameter in parameters)


def _is_hydras(name: Any) -> bool:
    return name in ("_target_", "_recursive_", *DECIDED)
