"""A point of a sweep: one combination of the values that vary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from sentexp.schema import PATHS
from sentexp.tracking.interface import NOT_PARAMETERS

LONGEST_NUMBER = 8
"""Characters of a fraction that is shown whole."""


@dataclass(frozen=True)
class Point:
    """One combination of the values that vary; all its jobs share it and differ only in their seed."""

    overrides: tuple[str, ...]
    """One per swept key, as on the command line, such as model.num_layers=2."""

    def __str__(self) -> str:
        return " ".join(self.overrides)

    @property
    def short(self) -> str:
        """The point as it is shown, with numbers of a few digits."""
        return " ".join(short_override(override) for override in self.overrides)

    @property
    def values(self) -> dict[str, str]:
        """The text of each value by its key."""
        return {key: text for key, _, text in (override.partition("=") for override in self.overrides)}


def run_name(overrides: Sequence[str], choices: Mapping[str, str]) -> str | None:
    """Return the name of a single run: what was changed, such as `num_layers=2 seed=1`, or else its data and model.

    None if nothing is known of it.
    """
    values = Point(tuple(override.lstrip("+") for override in overrides)).values
    values = {key: text for key, text in values.items() if key.split(".")[0] not in NOT_PARAMETERS}
    named = [choices[group] for group in ("data", "model") if group in choices]
    return " ".join(in_short(values) or named) or None


def in_short(values: Mapping[str, str]) -> list[str]:
    """Return what names a run: short keys with their values, of a path its last part, such as `path=reviews.csv`."""
    names = short_names(list(values))
    texts = {
        key: PurePath(text.strip("'\"")).name if key in PATHS else short_text(text) for key, text in values.items()
    }
    return [f"{names[key]}={text}" if text else key for key, text in texts.items()]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of each key, or the whole key where two have the same last part."""
    ends = Counter(key.rpartition(".")[2] for key in keys)
    return {key: key.rpartition(".")[2] if ends[key.rpartition(".")[2]] == 1 else key for key in keys}


def short_override(override: str) -> str:
    """Return an override with the short text of its value."""
    key, equals, text = override.partition("=")
    return f"{key}{equals}{short_text(text)}"


def short_text(text: str) -> str:
    """Return the first four digits of a long fraction, and any other text of a value as it is."""
    value = number(text)
    return f"{value:.4g}" if isinstance(value, float) and len(text) > LONGEST_NUMBER else text


def number(text: str) -> int | float | None:
    """Return the finite number that a text stands for; None if it stands for none."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
