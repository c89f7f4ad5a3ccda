"""From a nested configuration to flat parameters, without the passwords that an address may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

Nested = TypeVar("Nested")

PASSWORD = r"(?i:(?<=://)(?!/)([^:@?\s]*):[^?\s]*@|([?&]\w*(?:passw|pwd)\w*=)[^&\s]+)"
"""In an address, `user:password@` up to the last @ (a slash or an @ may be part of it) and `?password=...`."""


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Every leaf by its dotted key, written as on the command line: null, true, 0.001, a list in brackets."""
    flat: dict[str, str] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{key}.")
        else:
            flat[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return flat


def without_passwords(value: Nested) -> Nested:
    """The same texts, lists and mappings with `://user:password@` turned into `://user:***@`, and
    `?password=...` likewise."""
    cleaned: Any = value
    if isinstance(value, str):
        cleaned = re.sub(PASSWORD, lambda at: f"{at[1]}:***@" if at[1] is not None else f"{at[2]}***", value)
    elif isinstance(value, Mapping):
        cleaned = {key: without_passwords(inner) for key, inner in value.items()}
    elif isinstance(value, (list, tuple)):
        cleaned = [without_passwords(inner) for inner in value]
    return cleaned
