"""The points of a sweep as pictures and tables see them: the value of each swept key, and its axis."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sentexp.report.style import plain
from sentexp.sweep.plan import short_names
from sentexp.sweep.results import Point, SweepResults

# Shapes: P points

MOST_STEPS = 8
"""Numbers with more different values than this get an axis of numbers; fewer stand side by side, each with its name."""
MOST_TICKS = 16
LOG_FROM = 30
"""Ratio of the largest to the smallest number from which an axis may be logarithmic."""

STATES = ("finished", "pruned", "failed", "running", "waiting")


@dataclass(frozen=True)
class Parameter:
    """A swept key with its value at each point."""

    key: str
    texts: list[str]
    """[P], as on the command line."""
    places: np.ndarray
    """[P] along the axis: numbers, or with scale=steps whole ones that count `steps`."""
    scale: str
    """linear, log or steps."""
    steps: list[str]

    @property
    def varies(self) -> bool:
        return len(set(self.texts)) > 1

    def fractions(self) -> np.ndarray:
        """[P], the places from 0, the lowest, to 1; a step is the middle of its share."""
        if self.scale == "steps":
            return (self.places + 0.5) / len(self.steps)
        places = np.log(self.places) if self.scale == "log" else self.places
        low, high = self._ends(places)
        return (places - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Some places, as fractions, and what to write there."""
        if self.scale == "steps":
            return [((step + 0.5) / len(self.steps), self.steps[step]) for step in some(len(self.steps))]
        low, high = self.places.min(), self.places.max()
        if self.scale == "log":
            marks = np.asarray(LogLocator(numticks=6).tick_values(low, high))
            if np.sum((low <= marks) & (marks <= high)) < 2:
                marks = np.geomspace(low, high, 4)
            low_log, high_log = np.log(low), np.log(high)
            return [((np.log(m) - low_log) / (high_log - low_log), f"{m:.3g}") for m in marks if low <= m <= high]
        low, high = self._ends(self.places)
        marks = np.asarray(MaxNLocator(6).tick_values(low, high))
        return [((mark - low) / (high - low), f"{mark:.6g}") for mark in marks if low <= mark <= high]

    def show_on_x(self, axes: Axes) -> None:
        axes.set_xlabel(shortened(self.key, 40))
        if self.scale == "steps":
            shown = [shortened(self.steps[step], 18) for step in some(len(self.steps))]
            angle = 90 if len(shown) > 8 else 30 if sum(map(len, shown)) > 34 else 0
            axes.set_xticks(some(len(self.steps)), shown, rotation=angle, ha="right" if angle == 30 else "center")
            axes.set_xlim(-0.6, len(self.steps) - 0.4)
            axes.grid(False, axis="x")
        elif self.scale == "log":
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))

    def _ends(self, places: np.ndarray) -> tuple[float, float]:
        low, high = float(places.min()), float(places.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def parameters(swept: Sequence[str], points: Sequence[Point]) -> list[Parameter]:
    """Each swept key over the points, of which there must be one at least."""
    given = [values(point) for point in points]
    return [_parameter(key, [of_point.get(key, ("not set", "not set")) for of_point in given]) for key in swept]


def values(point: Point) -> dict[str, tuple[Any, str]]:
    """The value of each key that makes the point, and the same as on the command line."""
    return {key: (value, text) for key, value, text in map(_parsed, point.overrides)}


def describe(point: Point, swept: Sequence[str]) -> str:
    """The point in few words: the end of each key where that is clear, and its value."""
    given = values(point)
    return ", ".join(f"{name}={number(*given[key])}" for key, name in short_names(swept).items() if key in given)


def number(value: Any, text: str) -> str:
    """Of a long fraction the first four digits; anything else as it is on the command line."""
    return f"{value:.4g}" if isinstance(value, float) and len(text) > 8 else text


def shortened(text: str, longest: int) -> str:
    """For a picture: keys and values differ at their ends, so what is too long loses its middle."""
    if len(text) > longest:
        tail = longest // 2
        text = f"{text[: longest - tail - 1]}…{text[-tail:]}"
    return plain(text, longest)


def counts(states: Iterable[str]) -> str:
    """Such as `30 finished, 4 pruned`."""
    found = Counter(states)
    return ", ".join(f"{found[state]:,} {state}" for state in STATES if found[state])


def measured(record: SweepResults) -> list[Point]:
    return [point for point in record.points() if point.values is not None]


def why_nothing(record: SweepResults) -> str:
    """Words for a picture without data."""
    return f"no job has finished yet\n({counts(job.state for job in record.jobs) or 'no job'})"


def some(count: int, most: int = MOST_TICKS) -> range:
    """Every index, or of many only some."""
    return range(0, count, -(-count // most))


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


@functools.lru_cache(maxsize=100_000)
def _parsed(override: str) -> tuple[str, Any, str]:
    parsed = _parser().parse_override(override)
    value = parsed.value()
    if value is None:  # null, or ~key
        return parsed.key_or_group, None, "null" if "=" in override else "deleted"
    text = str(value).lower() if isinstance(value, bool) else parsed.get_value_element_as_str()
    return parsed.key_or_group, value, text


def _parameter(key: str, given: Sequence[tuple[Any, str]]) -> Parameter:
    texts = [text for _, text in given]
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value, _ in given)
    if not numbers:
        steps = ["false", "true"] if set(texts) == {"false", "true"} else list(dict.fromkeys(texts))
        return Parameter(key, texts, _places(texts, steps), "steps", steps)
    of_text = {number(*pair): float(pair[0]) for pair in given}
    places = np.array([float(value) for value, _ in given])
    if len(of_text) <= MOST_STEPS:
        steps = sorted(of_text, key=of_text.__getitem__)
        return Parameter(key, texts, _places([number(*pair) for pair in given], steps), "steps", steps)
    return Parameter(key, texts, places, "log" if _is_log(places) else "linear", [])


def _is_log(places: np.ndarray) -> bool:
    """Whether the numbers lie evenly by their logarithms rather than by themselves."""
    low, median, high = np.quantile(places, [0, 0.5, 1])
    if low <= 0 or high / low < LOG_FROM:
        return False
    linear = (median - low) / (high - low)
    log = np.log(median / low) / np.log(high / low)
    return bool(abs(log - 0.5) < abs(linear - 0.5))


def _places(texts: Sequence[str], steps: Sequence[str]) -> np.ndarray:
    place_of = {step: place for place, step in enumerate(steps)}
    return np.array([place_of[text] for text in texts])
