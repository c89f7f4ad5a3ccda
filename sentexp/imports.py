"""Objects by dotted path, such as a user's own model or function."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from sentexp.errors import did_you_mean


def allow_current_folder() -> None:
    """Let modules of the current folder be imported, as `python -m` does; the `sentexp` command itself would not."""
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())


def import_object(path: str) -> Any:
    """Import `package.module.name`, or `package.module.Class.name`.

    Raises ImportError if there is no such object, and whatever importing the module raises.
    """
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ImportError(f"{path!r} is no dotted path such as package.module.name")
    allow_current_folder()
    found: Any = None
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if end > 1 and error.name is not None and f"{module}.".startswith(f"{error.name}."):
                continue  # the last of these parts may be a class
            raise
        break
    for number, part in enumerate(parts[end:], end):
        if not hasattr(found, part):
            near = did_you_mean(part, dir(found))
            raise ImportError(f"{'.'.join(parts[:number])} has no {part}{near}")
        found = getattr(found, part)
    return found
