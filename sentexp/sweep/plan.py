"""From the command line to points: what stays the same in every run, what varies, and over which values."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override

from sentexp.errors import SentexpError

Point = tuple[str, ...]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The end of each key, or all of it where two end alike."""
    ends = Counter(key.rpartition(".")[2] for key in keys)
    return {key: key.rpartition(".")[2] if ends[key.rpartition(".")[2]] == 1 else key for key in keys}


@dataclass(frozen=True)
class Plan:
    """Overrides by their key, in the order in which Hydra's basic sweeper would count them."""

    overrides: dict[str, Override]

    @staticmethod
    def of(arguments: Sequence[str], space: Mapping[str, str], config_loader: ConfigLoader) -> Plan:
        """`arguments` as they follow `-m`; `space` adds sweeps, which an argument of the same key replaces."""
        parser = OverridesParser.create(config_loader=config_loader)
        texts = [f"{key}={text}" for key, text in space.items()]
        overrides: dict[str, Override] = {}
        for override in parser.parse_overrides([*texts, *arguments]):
            key = override.key_or_group
            if _is_of_the_sweep(key):
                if override.is_sweep_override():
                    raise SentexpError(f"{override.input_line}: holds for the whole sweep; expected one value")
                continue  # no run reads it
            overrides[override.get_key_element()] = override
        return Plan(overrides)

    @property
    def axes(self) -> dict[str, Override]:
        """What varies."""
        return {key: override for key, override in self.overrides.items() if override.is_sweep_override()}

    @property
    def swept(self) -> tuple[str, ...]:
        return tuple(key.lstrip("+~") for key in self.axes)

    def points(self) -> list[Point]:
        """Every combination, in the order of Hydra's basic sweeper. Raises SentexpError for an interval."""
        for override in self.axes.values():
            if override.is_interval_sweep():
                raise SentexpError(
                    f"{override.input_line}: an interval has no end of values, which sweep.sampler=grid would all try; "
                    "expected values, range(...), or a guided search such as sweep.sampler=tpe"
                )
        return [tuple(point) for point in itertools.product(*(listed(axis) for axis in self.axes.values()))]

    def overrides_of(self, point: Point) -> list[str]:
        """The whole command line of the run at `point`."""
        varying = iter(point)
        return [
            next(varying) if override.is_sweep_override() else str(override.input_line)
            for override in self.overrides.values()
        ]

    def to_check(self) -> Iterator[tuple[Point, Point]]:
        """For each value that stands in the command line or the space: two points with it, beside the first values of
        the other keys and beside the last. A value is wrong if neither can be composed."""
        values = [_examples(axis) for axis in self.axes.values()]
        first, last = [some[0] for some in values], [some[-1] for some in values]
        yield tuple(first), tuple(last)
        for place, some in enumerate(values):
            for value in some:
                yield (
                    (*first[:place], value, *first[place + 1 :]),
                    (*last[:place], value, *last[place + 1 :]),
                )


def listed(axis: Override) -> list[str]:
    """`key=value` for each of its values."""
    values = [f"{axis.get_key_element()}={text}" for text in axis.sweep_string_iterator()]
    if not values:
        raise SentexpError(f"{axis.input_line}: names no value")
    return values


def _examples(axis: Override) -> list[str]:
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


def _is_of_the_sweep(key: str) -> bool:
    return key == "sweep" or key.startswith("sweep.")
