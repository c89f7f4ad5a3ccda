"""Hydra's sweeps as Optuna's parameters and distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sentexp.errors import SentexpError
from sentexp.sweep.plan import Plan, listed
from sentexp.sweep.point import Point, number


def search_distributions(plan: Plan) -> dict[str, BaseDistribution]:
    """Return a distribution per swept key, for a sampler to draw from.

    The value of a choice is its text on the command line. Raises SentexpError if nothing varies, or for what Optuna
    has no distribution for.
    """
    if not plan.axes:
        raise SentexpError("sweep.sampler: nothing to search; expected key=interval(...), range(...) or choice(...)")
    return {key: _search_distribution(axis) for key, axis in plan.axes.items()}


def _search_distribution(axis: Override) -> BaseDistribution:
    sweep = axis.value()
    if axis.is_choice_sweep():
        return CategoricalDistribution([text.partition("=")[2] for text in listed(axis)])
    assert isinstance(sweep, (RangeSweep, IntervalSweep))
    log = "log" in sweep.tags
    try:
        if isinstance(sweep, IntervalSweep):
            assert sweep.start is not None
            assert sweep.end is not None
            whole = isinstance(sweep.start, int)
            kind = IntDistribution if whole else FloatDistribution
            return kind(sweep.start, sweep.end, log=log)  # type: ignore[arg-type]
        values = list(sweep.range())
        low, high, step = min(values), max(values), abs(sweep.step)
        if isinstance(low, int):
            return IntDistribution(low, high, log=log, step=int(step))
        return FloatDistribution(low, high, log=log, step=float(step))
    except (ValueError, TypeError) as error:
        raise SentexpError(f"{axis.input_line}: {error}") from error


def draw(study: optuna.Study, plan: Plan, distributions: Mapping[str, BaseDistribution]) -> tuple[int, Point]:
    """Create a trial at a point that the sampler of `study` draws. Return the trial's number and the point.

    The `distributions` are those of `search_distributions`. A marked key is drawn only where the options that were
    drawn before let the point have it.
    """
    trial = study.ask({key: one for key, one in distributions.items() if key not in plan.marks})
    left_out = plan.left_out(_overrides(trial.params))
    for key in plan.marks:
        if key not in left_out:
            _suggest(trial, key, distributions[key])
    drawn = _overrides(trial.params)
    return trial.number, Point(tuple(drawn[key] for key in distributions if key in drawn))


def could_be_drawn(point: Point, distributions: Mapping[str, BaseDistribution]) -> bool:
    """Return True for a point with values of these distributions."""
    given = [override.partition("=") for override in point.overrides]
    return all(key in distributions and _has(distributions[key], text) for key, _, text in given)


def _has(distribution: BaseDistribution, text: str) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return text in distribution.choices
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    value = number(text)
    whole = isinstance(value, int) or isinstance(distribution, FloatDistribution)
    return value is not None and whole and distribution.low <= value <= distribution.high


def _overrides(parameters: Mapping[str, object]) -> dict[str, str]:
    return {key: f"{key}={value}" for key, value in parameters.items()}


def _suggest(trial: optuna.Trial, key: str, distribution: BaseDistribution) -> None:
    match distribution:
        case CategoricalDistribution():
            trial.suggest_categorical(key, distribution.choices)
        case IntDistribution():
            trial.suggest_int(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        case FloatDistribution():
            trial.suggest_float(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


class GridParameters:
    """Parameters under which the points of a grid are stored, so that Optuna's own plots and dashboard can read them.

    A value is a number if all values of its key are, else its text on the command line. A range gets a distribution
    of numbers, which is short however long the range is; other values get a categorical one.
    """

    def __init__(self, plan: Plan) -> None:
        self._values = {key: _grid_values(axis) for key, axis in plan.axes.items()}
        self._distributions = {
            key: _grid_distribution(list(self._values[key].values()), is_range=axis.is_range_sweep())
            for key, axis in plan.axes.items()
        }

    def at(self, point: Point) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Return the value and the distribution of each parameter that a point of the plan has."""
        values = {key: self._values[key][text] for key, text in point.values.items()}
        return values, {key: self._distributions[key] for key in values}


def _grid_values(axis: Override) -> dict[str, int | float | str]:
    """Return the value of each text."""
    texts = [override.partition("=")[2] for override in listed(axis)]
    numbers = [number(text) for text in texts]
    return dict(zip(texts, texts if None in numbers else numbers, strict=True))  # type: ignore[arg-type]


def _grid_distribution(values: list[Any], *, is_range: bool) -> BaseDistribution:
    # sorted, so that it is the same for every trial even where the values are shuffled
    choices = sorted(set(values))
    if not is_range:
        return CategoricalDistribution(choices)
    kind = IntDistribution if all(isinstance(value, int) for value in choices) else FloatDistribution
    return kind(choices[0], choices[-1])
