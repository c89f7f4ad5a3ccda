"""YAML from files that may be anyone's, whose aliases do not multiply without bound."""

from __future__ import annotations

from typing import Any

import yaml

MOST_VALUES = 100_000
"""Values of one file, those that an alias repeats counted each time. Ours have a hundred."""

DEEPEST = 100
"""Levels of lists and mappings inside one another."""


class TooMuch(yaml.YAMLError):
    """The text means more values than any configuration has, or values that contain themselves."""


def composed(text: str) -> yaml.Node | None:
    """Return the nodes of a YAML text; None if it is empty.

    Raises yaml.YAMLError, and its subclass TooMuch for too many values. A short text can stand for that many: after
    `&a [x, x]`, `&b [*a, *a]` and so on, each line doubles their number.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _count(root, {}, 0)
    except RecursionError:
        raise TooMuch(f"more than {DEEPEST} levels of lists and mappings") from None
    return root


def loaded(text: str) -> Any:
    """Return the values of a YAML text, as yaml.safe_load does. Raises yaml.YAMLError as `composed` does.

    So does a text whose keys are lists or mappings, or whose values are none, such as the date 2023-99-99.
    """
    root = composed(text)
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(root) if root is not None else None
    except (ValueError, TypeError, AttributeError) as error:
        raise yaml.YAMLError(str(error)) from error
    finally:
        loader.dispose()


def _count(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return how many values a node stands for; `known` has those that were counted, by their identity."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise TooMuch("an alias inside of what it stands for")
        return known[id(node)]
    if depth > DEEPEST:
        raise TooMuch(f"more than {DEEPEST} levels of lists and mappings")
    known[id(node)], total = 0, 1
    if isinstance(node, yaml.CollectionNode):
        children = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
        for child in children:
            total += _count(child, known, depth + 1)
            if total > MOST_VALUES:
                raise TooMuch(f"its aliases stand for more than {MOST_VALUES:,} values")
    known[id(node)] = total
    return total
