"""From the command line to points: what stays the same in every job, what varies, and over which values.

A key that only some options of its group have is marked with their names by Hydra's `tag`, as in
`model.hidden_size=tag(lstm,gru,choice(16,32))`. A point leaves it out where another option is chosen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Sweep
from omegaconf import DictConfig

from sentexp.errors import SentexpError, did_you_mean
from sentexp.foreign import is_of_hydra
from sentexp.sweep.options import Options
from sentexp.sweep.point import Point

NO_MARK = "log"
"""The one tag that is no option: it makes a search draw from the logarithms."""


@dataclass(frozen=True)
class Plan:
    """The overrides of a sweep by their keys, in the order in which Hydra's basic sweeper counts them."""

    overrides: dict[str, Override]
    marks: dict[str, frozenset[str]]
    """The options of its group that a key belongs to. A key without a mark belongs to all."""
    options: Options

    @staticmethod
    def of(arguments: Sequence[str], space: Mapping[str, str], config: DictConfig, config_loader: ConfigLoader) -> Plan:
        """Parse the `arguments` that follow `-m`, and `space`: its keys vary too unless an argument has the same key.

        `config` is what Hydra composed for the sweep, with its own section. Raises SentexpError for a key of the
        section `sweep` with several values, for a tag that is neither `log` nor an option of the key's group, and for a
        second tag of options for a key.
        """
        parser, options = OverridesParser.create(config_loader=config_loader), Options(config, config_loader)
        texts = [f"{key}={text}" for key, text in space.items()]
        overrides: dict[str, Override] = {}
        marks: dict[str, frozenset[str]] = {}
        marked_by_argument: set[str] = set()
        for place, override in enumerate(parser.parse_overrides([*texts, *arguments])):
            name = override.key_or_group
            if name == "sweep" or name.startswith("sweep."):
                if override.is_sweep_override():
                    raise SentexpError(f"{override.input_line}: holds for the whole sweep; expected one value")
                continue  # no job reads it
            if is_of_hydra(name):  # only sweep.space can bring it here
                expected = "expected a key of the configuration"
                raise SentexpError(f"{override.input_line}: one of Hydra's own keys cannot vary; {expected}")
            key, mark = override.get_key_element(), _mark(override, options)
            if mark and key in marked_by_argument:
                expected = "expected one tag(...) with all options that it belongs to"
                raise SentexpError(f"{override.input_line}: {name} has a tag above already; {expected}")
            marks.pop(key, None)
            overrides[key] = override
            if mark:
                marks[key] = mark
                marked_by_argument.update([key] if place >= len(texts) else [])
        return Plan(overrides, marks, options)

    @cached_property
    def axes(self) -> dict[str, Override]:
        """The overrides that vary."""
        return {key: override for key, override in self.overrides.items() if override.is_sweep_override()}

    @property
    def lines(self) -> list[str]:
        """All overrides as they were given, on the command line or in the space."""
        return [str(override.input_line) for override in self.overrides.values()]

    @property
    def swept(self) -> tuple[str, ...]:
        """The keys that vary, without Hydra's + and ~."""
        return tuple(key.lstrip("+~") for key in self.axes)

    def points(self) -> list[Point]:
        """Return every combination once, in the order of Hydra's basic sweeper. Raises SentexpError for an interval."""
        for override in self.axes.values():
            if override.is_interval_sweep():
                raise SentexpError(
                    f"{override.input_line}: an interval has no end of values, which sweep.sampler=grid would all try; "
                    "expected values, range(...), or a search such as sweep.sampler=tpe"
                )
        points = []
        for numbered in itertools.product(*(enumerate(listed(axis)) for axis in self.axes.values())):
            values = {key: text for key, (_, text) in zip(self.axes, numbered, strict=True)}
            left_out = self.left_out(values)
            # combinations that differ only in what is left out are one point: the first of them
            if all(place == 0 for key, (place, _) in zip(self.axes, numbered, strict=True) if key in left_out):
                points.append(Point(tuple(text for key, text in values.items() if key not in left_out)))
        return points

    def left_out(self, values: Mapping[str, str]) -> set[str]:
        """Return the marked keys that belong to none of the options chosen at a point.

        `values` has the override of each group that varies, such as {"model": "model=lstm"}; others do not matter.
        """
        return {key for key, mark in self.marks.items() if self.option_beside(key, values) not in mark}

    def option_beside(self, key: str, values: Mapping[str, str]) -> str | None:
        """Return the option of a key's own group at a point; `values` as for `left_out`."""
        group = _group_of(self.overrides[key])
        # only its own override or, without one, a preset decides which option a group has
        deciding = [key for key in self._groups if key.lstrip("+") == group] or self._groups
        overrides = [values.get(key, str(self.overrides[key].input_line)) for key in deciding]
        return self.options.chosen(overrides).get(group)

    @cached_property
    def _groups(self) -> list[str]:
        """The keys that choose options."""
        return [
            key
            for key, override in self.overrides.items()
            if "." not in key and not override.is_delete() and self.options.of(override.key_or_group)
        ]

    @cached_property
    def choices(self) -> list[dict[str, str]]:
        """Every combination of options that vary: for each such group, its override by its key."""
        axes = {key: listed(self.axes[key]) for key in self._groups if key in self.axes}
        return [dict(zip(axes, texts, strict=True)) for texts in itertools.product(*axes.values())]

    @property
    def never(self) -> list[str]:
        """The marked keys that every point leaves out."""
        return [key for key in self.marks if all(key in self.left_out(choice) for choice in self.choices)]

    @property
    def sometimes(self) -> list[str]:
        """The marked keys that some points have and others leave out."""
        left_out = [self.left_out(choice) for choice in self.choices]
        return [key for key in self.marks if 0 < sum(key in some for some in left_out) < len(left_out)]

    def overrides_of(self, point: Point) -> list[str]:
        """Return the whole command line of the jobs at `point`, apart from their seed."""
        varying = {text.partition("=")[0]: text for text in point.overrides}
        return [
            varying[key] if key in self.axes else str(override.input_line)
            for key, override in self.overrides.items()
            if key not in self.axes or key in varying
        ]

    def points_to_check(self) -> Iterator[tuple[Point, Point]]:
        """Yield two points for each value on the command line or in the space.

        One has it together with the first values of the other keys, one with the last. A value is wrong if neither
        point can be composed. The values of a marked key are checked with each option that it belongs to.
        """
        examples = {key: _examples(axis) for key, axis in self.axes.items()}

        def point(values: Mapping[str, str], place: int) -> Point:
            left_out = self.left_out(values)
            return Point(tuple(values.get(key, some[place]) for key, some in examples.items() if key not in left_out))

        yield point(self.choices[0], 0), point(self.choices[-1], -1)
        for key, some in examples.items():
            beside: dict[str | None, list[dict[str, str]]] = {}
            for choice in self.choices:
                if key not in self.left_out(choice):
                    option = self.option_beside(key, choice) if key in self.marks else None
                    beside.setdefault(option, []).append(choice)
            for text, choices in itertools.product(some, beside.values()):
                having = [choice for choice in choices if choice.get(key, text) == text]
                yield point({**having[0], key: text}, 0), point({**having[-1], key: text}, -1)


def _mark(override: Override, options: Options) -> frozenset[str]:
    """Return the options that an override is marked with. Raises SentexpError for a tag that is none."""
    value = override.value()
    tags = sorted(value.tags - {NO_MARK}) if isinstance(value, Sweep) else []
    group = _group_of(override)
    valid = options.of(group) if tags and group != override.key_or_group else ()
    for tag in tags:
        if not valid:
            name = override.key_or_group
            raise SentexpError(f"{override.input_line}: {name} is no key of a group of options; expected no tag {tag}")
        if tag not in valid:
            names = [*valid, NO_MARK]
            expected = f"not one of {', '.join(names)}{did_you_mean(tag, names)}"
            raise SentexpError(f"{override.input_line}: the tag {tag} is {expected}")
    return frozenset(tags)


def _group_of(override: Override) -> str:
    return override.key_or_group.partition(".")[0]


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
