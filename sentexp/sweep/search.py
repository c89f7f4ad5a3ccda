"""The sampler and the pruner that the section `sweep` names."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution

from sentexp.errors import SentexpError
from sentexp.schema import SweepConfig

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.WARNING)


def notes(
    settings: SweepConfig, distributions: Mapping[str, BaseDistribution], sometimes: Collection[str]
) -> list[str]:
    """Return what to tell the user where the sampler does not do what its name says.

    `sometimes` are the keys that some points have and others leave out. Raises SentexpError for a sampler that would
    give up on all keys because of them.
    """
    name = f"sweep.sampler={settings.sampler}"
    texts = [key for key, found in distributions.items() if isinstance(found, CategoricalDistribution)]
    match settings.sampler:
        case "cmaes" | "qmc" if sometimes:
            problem = f"needs every key at every point, and some leave out {', '.join(sometimes)}"
            raise SentexpError(f"{name}: {problem}; expected sweep.sampler=tpe or random")
        case "cmaes" | "qmc" if texts:
            return [f"{name}: works on numbers only, so {', '.join(texts)} is drawn at random"]
        case "gp" | "nsgaii" if sometimes:
            return [f"{name}: learns only about keys that every point has; drawn at random: {', '.join(sometimes)}"]
    return []


def sampler(settings: SweepConfig, seed: int | None, side_by_side: int) -> optuna.samplers.BaseSampler:
    """Return the sampler. `side_by_side` is the number of points drawn before any of them has a value.

    With `seed` None, each driver draws other points.
    """
    startup = settings.startup_trials
    match settings.sampler:
        case "grid" | "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "tpe":
            return optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed, constant_liar=side_by_side > 1)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(n_startup_trials=startup, seed=seed, warn_independent_sampling=False)
        case "gp":
            return optuna.samplers.GPSampler(n_startup_trials=startup, seed=seed, warn_independent_sampling=False)
        case "nsgaii":
            return optuna.samplers.NSGAIISampler(population_size=max(2, 2 * startup), seed=seed)
        case "qmc":  # all drivers of a search must follow the same sequence
            return optuna.samplers.QMCSampler(seed=0, warn_independent_sampling=False)
    raise AssertionError(settings.sampler)


def pruner(settings: SweepConfig) -> optuna.pruners.BasePruner | None:
    """Return the pruner; None if sweep.pruner is none."""
    match settings.pruner:
        case "none":
            return None
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
