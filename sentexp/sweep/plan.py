"""From the command line to points: what stays the same in every job, what varies, and over which values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override

from sentexp.errors import SentexpError
from sentexp.sweep.point import Point


@dataclass(frozen=True)
class Plan:
    """The overrides of a sweep by their keys, in the order in which Hydra's basic sweeper counts them."""

    overrides: dict[str, Override]

    @staticmethod
    def of(arguments: Sequence[str], space: Mapping[str, str], config_loader: ConfigLoader) -> Plan:
        """Parse the `arguments` that follow `-m`, and `space`: its keys vary too unless an argument has the same key.

        Raises SentexpError for a key of the section `sweep` with several values.
        """
        parser = OverridesParser.create(config_loader=config_loader)
        texts = [f"{key}={text}" for key, text in space.items()]
        overrides: dict[str, Override] = {}
        for override in parser.parse_overrides([*texts, *arguments]):
            key = override.key_or_group
            if key == "sweep" or key.startswith("sweep."):
                if override.is_sweep_override():
                    raise SentexpError(f"{override.input_line}: holds for the whole sweep; expected one value")
                continue  # no job reads it
            overrides[override.get_key_element()] = override
        return Plan(overrides)

    @property
    def axes(self) -> dict[str, Override]:
        """The overrides that vary."""
        return {key: override for key, override in self.overrides.items() if override.is_sweep_override()}

    @property
    def swept(self) -> tuple[str, ...]:
        """The keys that vary, without Hydra's + and ~."""
        return tuple(key.lstrip("+~") for key in self.axes)

    def points(self) -> list[Point]:
        """Return every combination, in the order of Hydra's basic sweeper. Raises SentexpError for an interval."""
        for override in self.axes.values():
            if override.is_interval_sweep():
                raise SentexpError(
                    f"{override.input_line}: an interval has no end of values, which sweep.sampler=grid would all try; "
                    "expected values, range(...), or a search such as sweep.sampler=tpe"
                )
        return [Point(values) for values in itertools.product(*(listed(axis) for axis in self.axes.values()))]

    def overrides_of(self, point: Point) -> list[str]:
        """Return the whole command line of the jobs at `point`, apart from their seed."""
        varying = iter(point.overrides)
        return [
            next(varying) if override.is_sweep_override() else str(override.input_line)
            for override in self.overrides.values()
        ]

    def points_to_check(self) -> Iterator[tuple[Point, Point]]:
        """Yield two points for each value on the command line or in the space.

        One has it together with the first values of the other keys, one with the last. A value is wrong if neither
        point can be composed.
        """
        values = [_examples(axis) for axis in self.axes.values()]
        first, last = [some[0] for some in values], [some[-1] for some in values]
        yield Point(tuple(first)), Point(tuple(last))
        for place, some in enumerate(values):
            for value in some:
                yield (
                    Point((*first[:place], value, *first[place + 1 :])),
                    Point((*last[:place], value, *last[place + 1 :])),
                )


def listed(axis: Override) -> list[str]:
    """Return `key=value` for each value of an axis that is no interval. Raises SentexpError if there is none."""
    values = [f"{axis.get_key_element()}={text}" for text in axis.sweep_string_iterator()]
    if not values:
        raise SentexpError(f"{axis.input_line}: names no value")
    return values


def _examples(axis: Override) -> list[str]:
    """Return every value of a choice, and the ends of a range or interval (of real numbers, also one inside)."""
    if not axis.is_interval_sweep():
        values = listed(axis)
        return values if axis.is_choice_sweep() else [values[0], values[-1]]
    interval = axis.value()
    assert isinstance(interval, IntervalSweep)
    low, high = interval.start, interval.end
    assert low is not None
    assert high is not None
    inside = [low, high] if isinstance(low, int) else [low + (high - low) * share for share in (0.0, 0.318, 1.0)]
    return [f"{axis.get_key_element()}={value}" for value in inside]
