"""Tensors as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def write_tensors(value: Any, path: Path) -> None:
    """Write tensors in dicts and lists to `path`, as torch.save does. Raises OSError if the disk is full."""
    with path.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as error:  # in which torch hides what the system has answered
            hidden: BaseException | None = error
            while hidden is not None and not isinstance(hidden, OSError):
                hidden = hidden.__cause__ or hidden.__context__
            if hidden is None:
                raise
            raise OSError(hidden.errno, hidden.strerror, str(path)) from error
