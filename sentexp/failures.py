"""Turns a lack of memory, and what code of the user's own raises in a run, into one line each."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentexp.config_files import shown
from sentexp.errors import Pruned, RunFailed, SentexpError, one_line
from sentexp.imports import import_object
from sentexp.schema import OPTIONS, Config

NO_MEMORY = re.compile(
    r"can't allocate memory|out of memory|unable to allocate|size calculation overflowed|too large to convert"
    r"|overflow when unpacking|numel: integer multiplication overflow|invalid buffer size",
    re.IGNORECASE,
)
"""What torch and numpy say of a size that no memory holds."""

SIZES = (
    "model.hidden_size", "model.num_layers", "embedding.dim", "trainer.batch_size", "trainer.max_tokens",
    "vocab.max_size", "text.fix_length", "task.streams", "task.segment",
)  # fmt: skip
"""Keys on which the memory of a run depends."""


@contextmanager
def failure_explained(config: Config) -> Iterator[None]:
    """Let a lack of memory, and what code of the user's own raises, leave the block as a RunFailed of one line."""
    try:
        yield
    except (SentexpError, Pruned):
        raise
    except Exception as error:
        reason = _out_of_memory(error, config) or _in_own_code(error, config)
        if reason is None:
            raise
        raise RunFailed(reason) from error


def lacks_memory(error: Exception) -> bool:
    """Return True for what Python, torch or numpy raises where memory does not suffice, on any device."""
    return isinstance(error, MemoryError) or NO_MEMORY.search(str(error)) is not None


def _out_of_memory(error: Exception, config: Config) -> str | None:
    if not lacks_memory(error):
        return None
    wanted = re.search(r"allocate ([\d.]+ ?[KMGTP]?i?B|\d+ bytes)", str(error))
    much = ""
    if wanted:
        figure = wanted[1].removesuffix(" bytes")
        much = f", {int(figure) / 1e9:.1f} GB in one piece" if figure.isdecimal() else f", {figure} in one piece"
    sizes = {key: value for key in SIZES if isinstance(value := _value_of(config, key), int)}
    largest = ", ".join(f"{key}={sizes[key]}" for key in sorted(sizes, key=sizes.__getitem__, reverse=True))
    return f"out of memory{much}; expected trainer.on_oom=halve, or smaller sizes ({largest})"


def _value_of(config: Config, key: str) -> Any:
    group, _, name = key.partition(".")
    section = getattr(config, group)
    return section.get(name) if isinstance(section, dict) else getattr(section, name, None)


def _in_own_code(error: Exception, config: Config) -> str | None:
    """Return the failure as one line with key, file and line, if it came about in an object of the user's own."""
    paths = {f"evaluation.metrics.{name}": str(path) for name, path in config.evaluation.metrics.items()}
    for group in OPTIONS:
        section = getattr(config, group)
        if isinstance(section, dict):
            paths[f"{group}._target_"] = str(section["_target_"])
    if hasattr(config.tokenizer, "path"):
        paths["tokenizer.path"] = config.tokenizer.path
    for key, path in paths.items():
        module = getattr(import_object(path), "__module__", None)
        frames = [
            (frame, line) for frame, line in traceback.walk_tb(error.__traceback__)
            if frame.f_globals.get("__name__") == module
        ]  # fmt: skip
        if frames:
            frame, line = frames[-1]
            code = frame.f_code
            what = "cannot be built" if code.co_name == "__init__" else f"{code.co_name} fails"
            return f"{key}={path}: {what}: {one_line(error)} ({shown(Path(code.co_filename))}, line {line})"
    return None
