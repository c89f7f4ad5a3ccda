"""The points of a sweep as texts: their values, and their states in few words."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

from sentexp.sweep.point import short_names, short_text
from sentexp.sweep.results import PointResult, SweepResults

STATES = ("finished", "pruned", "failed", "running", "waiting")
"""The states of a job, in the order in which they are listed."""


def value_texts(point: PointResult) -> dict[str, str]:
    """Return the value of each key that makes the point as on the command line, without Hydra's + and ~."""
    return dict(map(_parsed, point.overrides))


def describe_point(point: PointResult, swept: Sequence[str]) -> str:
    """Return the point in few words, such as `num_layers=2, lr=0.001`; a key stands by its end where that is clear."""
    given = value_texts(point)
    return ", ".join(f"{name}={short_text(given[key])}" for key, name in short_names(swept).items() if key in given)


def count_states(states: Iterable[str]) -> str:
    """Return how many jobs are in each state, such as `30 finished, 4 pruned`."""
    found = Counter(states)
    return ", ".join(f"{found[state]:,} {state}" for state in STATES if found[state])


def points_with_results(results: SweepResults) -> list[PointResult]:
    """Return the points of which a job has finished."""
    return [point for point in results.points() if point.values is not None]


def no_results_text(results: SweepResults) -> str:
    """Return what a picture says if there is no point with results."""
    return f"no job has finished yet\n({count_states(job.state for job in results.jobs) or 'no job'})"


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


@functools.lru_cache(maxsize=100_000)
def _parsed(override: str) -> tuple[str, str]:
    parsed = _parser().parse_override(override)
    value = parsed.value()
    if value is None:  # null, or ~key
        return parsed.key_or_group, "null" if "=" in override else "deleted"
    return parsed.key_or_group, str(value).lower() if isinstance(value, bool) else parsed.get_value_element_as_str()
