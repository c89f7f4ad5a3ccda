"""A point of a sweep: one combination of the values that vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One combination of the values that vary; all its jobs share it and differ only in their seed."""

    overrides: tuple[str, ...]
    """One per swept key, as on the command line, such as model.num_layers=2."""

    def __str__(self) -> str:
        return " ".join(self.overrides)

    @property
    def values(self) -> dict[str, str]:
        """The text of each value by its key."""
        return {key: text for key, _, text in (override.partition("=") for override in self.overrides)}


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of each key, or the whole key where two have the same last part."""
    ends = Counter(key.rpartition(".")[2] for key in keys)
    return {key: key.rpartition(".")[2] if ends[key.rpartition(".")[2]] == 1 else key for key in keys}
