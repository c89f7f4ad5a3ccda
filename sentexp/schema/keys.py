"""How one key of the configuration is declared."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from omegaconf import MISSING


def key(
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    pattern: str | None = None,
    expected: str | None = None,
    resolve: bool | None = None,
    path: bool | None = None,
    own: bool | None = None,
) -> Any:
    """Declare one key: its value comes from YAML, its bounds from here.

    `expected` says in words what a `pattern`, a regular expression, accepts. With `resolve=False`, references inside a
    mapping, such as ${seed}, stay as they are. `path` marks a file or folder of this machine; see PATHS.
    `own` marks a key of an option that the program itself reads: the option's `_target_` is not given it.
    """
    rules: dict[str, Any] = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    rules |= {"choices": choices, "pattern": pattern, "expected": expected, "resolve": resolve}
    rules |= {"path": path, "own": own}
    return field(default=MISSING, metadata={rule: value for rule, value in rules.items() if value not in (None, ())})
