"""Values of the configuration as text, and without the passwords that an address may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

Nested = TypeVar("Nested")

PASSWORD_PATTERN = r"(?i:(?<=://)(?!/)([^:@?\s]*):[^?\s]*@|([?&]\w*(?:passw|pwd)\w*=)[^&\s]+)"
"""Regular expression of `user:password@` in an address, up to the last @ (a password may have a slash or an @ in it),
and of `?password=...`."""


SECRET_NAME = r"(?i:pass(?:w|phrase)|token|secret|credential|key)"
"""Regular expression that is found in the names of environment variables with a secret. One too many does no harm."""


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return each leaf by its dotted key, as the command line writes it: null, true, 0.001, a list in brackets.

    flatten({"model": {"dropout": None}})  # {"model.dropout": "null"}
    """
    flat: dict[str, str] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{key}.")
        else:
            flat[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return flat


def without_passwords(value: Nested) -> Nested:
    """Return the same texts, lists and mappings with *** for each password.

    without_passwords("mysql://anna:secret@db")  # "mysql://anna:***@db"
    """
    cleaned: Any = value
    if isinstance(value, str):
        cleaned = re.sub(PASSWORD_PATTERN, lambda at: f"{at[1]}:***@" if at[1] is not None else f"{at[2]}***", value)
    elif isinstance(value, Mapping):
        cleaned = {key: without_passwords(inner) for key, inner in value.items()}
    elif isinstance(value, (list, tuple)):
        cleaned = [without_passwords(inner) for inner in value]
    return cleaned


def lacks_password(text: str) -> bool:
    """Return True for a text out of which `without_passwords` has taken one."""
    return ":***@" in text or re.search(r"[?&]\w*(?:passw|pwd)\w*=\*\*\*", text, re.IGNORECASE) is not None


def shown(value: Any) -> Any:
    """Return a value as a message about its key writes it: null, true, and texts without their passwords."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else without_passwords(value)
