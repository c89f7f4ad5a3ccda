"""Guided search: Hydra's sweeps as Optuna's distributions, and the sampler and pruner that the settings name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import optuna
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sentexp.errors import SentexpError
from sentexp.sweep.plan import Plan, Point, listed
from sentexp.sweep.settings import Settings

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.WARNING)


def space(plan: Plan) -> dict[str, BaseDistribution]:
    """What varies. Raises SentexpError for what has no distribution."""
    if not plan.axes:
        raise SentexpError("sweep.sampler: nothing to search; expected key=interval(...), range(...) or choice(...)")
    return {key: _distribution(axis) for key, axis in plan.axes.items()}


def _distribution(axis: Override) -> BaseDistribution:
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


def notes(settings: Settings, distributions: Mapping[str, BaseDistribution]) -> list[str]:
    """What the sampler does otherwise than its name says."""
    names = [key for key, found in distributions.items() if isinstance(found, CategoricalDistribution)]
    if settings.sampler not in ("cmaes", "qmc") or not names:
        return []
    return [f"sweep.sampler={settings.sampler}: knows numbers alone, so {', '.join(names)} is drawn at random"]


def point(parameters: Mapping[str, object]) -> Point:
    """Values that the sampler chose, as overrides. A categorical value is already the text of one."""
    return tuple(f"{key}={value}" for key, value in parameters.items())


def sampler(settings: Settings, seed: int | None, side_by_side: int) -> optuna.samplers.BaseSampler:
    """`seed` None draws anew in each driver. `side_by_side` points are asked for before any of them has a value."""
    startup = settings.startup_trials
    match settings.sampler:
        case "grid" | "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "tpe":
            return optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed, constant_liar=side_by_side > 1)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(n_startup_trials=startup, seed=seed, warn_independent_sampling=False)
        case "gp":
            return optuna.samplers.GPSampler(n_startup_trials=startup, seed=seed)
        case "nsgaii":
            return optuna.samplers.NSGAIISampler(population_size=max(2, 2 * startup), seed=seed)
        case "qmc":  # the drivers of one search go along one sequence
            return optuna.samplers.QMCSampler(seed=0, warn_independent_sampling=False)
    raise AssertionError(settings.sampler)


def pruner(settings: Settings) -> optuna.pruners.BasePruner:
    match settings.pruner:
        case "none":
            return optuna.pruners.NopPruner()
        case "median":
            return optuna.pruners.MedianPruner(
                n_startup_trials=settings.startup_trials, n_warmup_steps=settings.warmup_epochs
            )
        case "successive_halving":
            return optuna.pruners.SuccessiveHalvingPruner(
                min_resource=settings.warmup_epochs, reduction_factor=settings.reduction_factor
            )
        case "hyperband":
            return optuna.pruners.HyperbandPruner(
                min_resource=settings.warmup_epochs, reduction_factor=settings.reduction_factor
            )
    raise AssertionError(settings.pruner)
