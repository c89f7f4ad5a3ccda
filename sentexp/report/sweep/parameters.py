"""The swept keys of a sweep as the axes of pictures: the position of each value, and the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sentexp.report.style import shorten_middle
from sentexp.report.sweep.points import value_texts
from sentexp.sweep.point import number, short_text
from sentexp.sweep.results import PointResult

# Shapes: P points

NOT_SET = "not set"
"""Text of a key at a point that leaves it out."""
ROOM = 0.12
"""Share of an axis of numbers below the lowest that is kept for the points which leave the key out."""

MOST_CATEGORIES = 8
"""Different numbers up to which they are categories, side by side; more get an axis of numbers."""
MOST_TICKS = 16
"""Categories that are written on an axis."""
LOG_FROM = 30
"""Ratio of the largest to the smallest number from which an axis may be logarithmic."""


@dataclass(frozen=True)
class Parameter:
    """A swept key with its value at each point."""

    key: str
    texts: list[str]
    """Its values as on the command line, [P]."""
    positions: np.ndarray
    """Positions of the values on the axis, [P]: the numbers themselves, NaN where not set, or indices into
    `categories`."""
    scale: str
    """linear, log or categorical."""
    categories: list[str]
    """The different values, in the order of the axis, NOT_SET first; empty unless the scale is categorical."""

    @property
    def varies(self) -> bool:
        """True if the points that set it differ in it."""
        return len({*self.texts} - {NOT_SET}) > 1

    @property
    def is_set(self) -> np.ndarray:
        """True for each point that sets it, [P]."""
        if self.scale == "categorical":
            return np.array([self.categories[position] != NOT_SET for position in self.positions])
        return ~np.isnan(self.positions)

    def fractions(self) -> np.ndarray:
        """Return the positions scaled to 0 (the lowest) to 1, [P]; a category is in the middle of its equal share.

        On an axis of numbers, points that leave the key out are at 0, with ROOM above them.
        """
        if self.scale == "categorical":
            return (self.positions + 0.5) / len(self.categories)
        return np.where(self.is_set, self._fraction(self.positions), 0.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the fraction and the text of each tick of the axis."""
        if self.scale == "categorical":
            count = len(self.categories)
            return [((index + 0.5) / count, self.categories[index]) for index in tick_indices(count)]
        ticks = [] if self.is_set.all() else [(0.0, NOT_SET)]
        if self.scale == "log":
            low, high = np.nanmin(self.positions), np.nanmax(self.positions)
            marks = np.asarray(LogLocator(numticks=6).tick_values(low, high))
            if np.sum((low <= marks) & (marks <= high)) < 2:
                marks = np.geomspace(low, high, 4)
        else:
            low, high = self._ends(self.positions)
            marks = np.asarray(MaxNLocator(6).tick_values(low, high))
        digits = 3 if self.scale == "log" else 6
        return ticks + [(float(self._fraction(m)), f"{m:.{digits}g}") for m in marks if low <= m <= high]

    def show_on_x(self, axes: Axes) -> None:
        """Set label, scale and ticks of the x axis of `axes`."""
        axes.set_xlabel(shorten_middle(self.key, 40))
        if self.scale == "categorical":
            indices = tick_indices(len(self.categories))
            shown = [shorten_middle(self.categories[index], 18) for index in indices]
            angle = 90 if len(shown) > 8 else 30 if sum(map(len, shown)) > 34 else 0
            axes.set_xticks(indices, shown, rotation=angle, ha="right" if angle == 30 else "center")
            axes.set_xlim(-0.6, len(self.categories) - 0.4)
            axes.grid(False, axis="x")
        elif self.scale == "log":
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))

    def _fraction(self, positions: np.ndarray) -> np.ndarray:
        """Return the place of numbers on the axis, from 0 to 1."""
        scaled = np.log if self.scale == "log" else np.asarray
        low, high = self._ends(scaled(self.positions))
        room = 0.0 if self.is_set.all() else ROOM
        return room + (1 - room) * (scaled(positions) - low) / (high - low)

    def _ends(self, positions: np.ndarray) -> tuple[float, float]:
        low, high = float(np.nanmin(positions)), float(np.nanmax(positions))
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def parameters(swept: Sequence[str], points: Sequence[PointResult]) -> list[Parameter]:
    """Return each swept key with its value at each of the points, at least one."""
    given = [value_texts(point) for point in points]
    return [_parameter(key, [of_point.get(key, NOT_SET) for of_point in given]) for key in swept]


def tick_indices(count: int, most: int = MOST_TICKS) -> range:
    """Return the indices of `count` categories, or every second, third, ... if there are more than `most`."""
    return range(0, count, -(-count // most))


def _parameter(key: str, texts: list[str]) -> Parameter:
    given = [text for text in texts if text != NOT_SET]
    left_out = [NOT_SET] if len(given) < len(texts) else []
    numbers = {text: number(text) for text in given}
    if not given or None in numbers.values():
        categories = ["false", "true"] if set(given) == {"false", "true"} else list(dict.fromkeys(given))
        categories = left_out + categories
        return Parameter(key, texts, _positions(texts, categories), "categorical", categories)
    short = [short_text(text) for text in texts]
    positions = np.array([float(numbers.get(text, np.nan)) for text in texts])  # type: ignore[arg-type]
    number_of = {text: position for text, position in zip(short, positions.tolist(), strict=True) if text != NOT_SET}
    if len(number_of) <= MOST_CATEGORIES:
        categories = left_out + sorted(number_of, key=number_of.__getitem__)
        return Parameter(key, texts, _positions(short, categories), "categorical", categories)
    is_log = _is_log(positions[~np.isnan(positions)])
    return Parameter(key, texts, positions, "log" if is_log else "linear", [])


def _is_log(positions: np.ndarray) -> bool:
    """Return True if the logarithms of the numbers are spread more evenly than the numbers themselves."""
    low, median, high = np.quantile(positions, [0, 0.5, 1])
    if low <= 0 or high / low < LOG_FROM:
        return False
    linear = (median - low) / (high - low)
    log = np.log(median / low) / np.log(high / low)
    return bool(abs(log - 0.5) < abs(linear - 0.5))


def _positions(texts: Sequence[str], categories: Sequence[str]) -> np.ndarray:
    position_of = {category: position for position, category in enumerate(categories)}
    return np.array([position_of[text] for text in texts])
