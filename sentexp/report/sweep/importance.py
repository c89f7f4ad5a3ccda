"""Parameter importance: how much of the metric's variation each swept key explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sentexp.report.style import COLOURS, new_figure, picture_text, shorten_middle, styled, write_instead
from sentexp.report.sweep.parameters import Parameter, parameters
from sentexp.report.sweep.points import no_results_text, points_with_results
from sentexp.sweep.results import PointResult, SweepResults

# Shapes: P points, K keys

LEAST_POINTS = 4
"""Points below which importance is not computed."""
POINTS_PER_KEY = 10
"""Points per key below which the picture says that it is a rough guess."""
MOST_POINTS = 300
"""Largest sample of points: the time that fANOVA takes grows with the square of their number."""
TREES = 32
"""Trees of fANOVA's random forest."""


@styled
def parameter_importance(results: SweepResults) -> Figure:
    """Draw one bar per key and metric; each metric has a colour."""
    found = points_with_results(results)
    points = sample_points(found)
    keys = [key for key in parameters(results.swept, points) if key.varies] if points else []
    rows = max(1, len(keys)) * len(results.metrics)
    figure, (axes,) = new_figure(8.4, float(np.clip(1.9 + 0.42 * rows, 3.2, 16)))
    axes.set_title("Importance of the swept keys")
    problem = None
    if not points:
        problem = no_results_text(results)
    elif not keys:
        problem = "needs points that differ in a value"
    elif len(points) < LEAST_POINTS:
        problem = f"needs {LEAST_POINTS} points with a result at least; there are {len(points)}"
    if problem:
        write_instead(axes, problem)
        return figure
    values = np.array([point.values for point in points])  # [P, metrics]
    shares = {
        metric: importances(keys, values[:, index])
        for index, metric in enumerate(results.metrics)
        if np.ptp(values[:, index]) > 0
    }
    if not shares:
        write_instead(axes, f"every point has the same {' and '.join(results.metrics)}: nothing to explain")
        return figure
    order = np.argsort(next(iter(shares.values())), kind="stable")
    thickness = 0.8 / len(shares)
    for place, (metric, share) in enumerate(shares.items()):
        heights = np.arange(len(keys)) + 0.4 - thickness * (place + 0.5)
        colour = COLOURS[place % len(COLOURS)]
        bars = axes.barh(heights, share[order], height=thickness * 0.95, color=colour, label=picture_text(metric, 40))
        axes.bar_label(bars, labels=[f"{100 * one:.0f} %" for one in share[order]], padding=3, fontsize=9)
    axes.set_yticks(range(len(keys)), [shorten_middle(keys[row].key, 32) for row in order])
    axes.set_xlim(0, 1.1)
    axes.set_xticks(np.linspace(0, 1, 5), [f"{share:.0f}" for share in np.linspace(0, 100, 5)])
    axes.grid(False, axis="y")
    axes.set_xlabel("share of the explained variation (%)")
    if len(shares) > 1:
        figure.legend(loc="outside lower left", ncols=2)
    of_all = f"{len(points):,} of {len(found):,} points" if len(points) < len(found) else f"{len(points):,} points"
    what = f"{picture_text(next(iter(shares)), 40)} by" if len(shares) == 1 else "Importance of"
    few = ",\ntoo few for more than a rough guess" if len(points) < POINTS_PER_KEY * len(keys) else ""
    axes.set_title(f"{what} the swept keys: fANOVA on {of_all}{few}", fontsize=11)
    return figure


def sample_points(points: list[PointResult]) -> list[PointResult]:
    """Return the points, or MOST_POINTS of them at random: taking every second one of a grid would not be fair."""
    if len(points) <= MOST_POINTS:
        return points
    rows = np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)
    return [points[row] for row in sorted(rows)]


def importances(keys: Sequence[Parameter], values: np.ndarray) -> np.ndarray:
    """Return the importance of each key, [K], adding up to 1, from the keys and one metric, `values` [P].

    Computed by fANOVA (Hutter et al., 2014), as Optuna implements it. A point that leaves a key out counts as if it had
    the key's middle value, so that what the chosen option explains is not told of its keys.
    """
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    axes: dict[str, BaseDistribution] = {}
    for key in keys:
        if key.scale == "categorical":
            axes[key.key] = CategoricalDistribution(range(len(key.categories)))
        else:
            low, high = np.nanmin(key.positions), np.nanmax(key.positions)
            axes[key.key] = FloatDistribution(low, high, log=key.scale == "log")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it logs that the study below was created
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(verbosity)
    filled = [np.where(key.is_set, key.positions, _middle(key)).astype(key.positions.dtype) for key in keys]  # K * [P]
    for row, value in enumerate(values):
        params = {key.key: positions[row].item() for key, positions in zip(keys, filled, strict=True)}
        study.add_trial(optuna.create_trial(params=params, distributions=axes, value=value))
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0))
    return np.array([shares[key.key] for key in keys])


def _middle(key: Parameter) -> float:
    """Return the lower median of the positions of a key where it is set."""
    return float(np.quantile(key.positions[key.is_set], 0.5, method="lower"))
