"""Parameter importance: how much of the metric's variation each swept key explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sentexp.report.style import COLOURS, new_figure, plain, say, styled
from sentexp.report.sweep.points import Parameter, measured, parameters, shortened, why_nothing
from sentexp.sweep.results import Point, SweepResults

# Shapes: P points, K keys

LEAST_POINTS = 4
POINTS_PER_KEY = 10
"""With fewer, the picture calls itself a rough guess."""
MOST_POINTS = 300
"""Of more, so many are drawn at random: the time that fANOVA takes grows with the square of the points."""
TREES = 32


@styled
def parameter_importance(record: SweepResults) -> Figure:
    """A bar for each key, and for each metric a colour."""
    found = measured(record)
    points = drawn(found)
    keys = [key for key in parameters(record.swept, points) if key.varies] if points else []
    rows = max(1, len(keys)) * len(record.metrics)
    figure, (axes,) = new_figure(8.4, float(np.clip(1.9 + 0.42 * rows, 3.2, 16)))
    axes.set_title("Importance of the swept keys")
    problem = None
    if not points:
        problem = why_nothing(record)
    elif not keys:
        problem = "needs points that differ in a value"
    elif len(points) < LEAST_POINTS:
        problem = f"needs {LEAST_POINTS} points with a result at least; there are {len(points)}"
    if problem:
        say(axes, problem)
        return figure
    results = np.array([point.values for point in points])  # [P, metrics]
    shares = {
        metric: importances(keys, results[:, index])
        for index, metric in enumerate(record.metrics)
        if np.ptp(results[:, index]) > 0
    }
    if not shares:
        say(axes, f"every point has the same {' and '.join(record.metrics)}: nothing to explain")
        return figure
    order = np.argsort(next(iter(shares.values())), kind="stable")
    thickness = 0.8 / len(shares)
    for place, (metric, share) in enumerate(shares.items()):
        heights = np.arange(len(keys)) + 0.4 - thickness * (place + 0.5)
        bars = axes.barh(
            heights, share[order], height=thickness * 0.95, color=COLOURS[place % len(COLOURS)], label=plain(metric, 40)
        )
        axes.bar_label(bars, labels=[f"{100 * one:.0f} %" for one in share[order]], padding=3, fontsize=9)
    axes.set_yticks(range(len(keys)), [shortened(keys[row].key, 32) for row in order])
    axes.set_xlim(0, 1.1)
    axes.set_xticks(np.linspace(0, 1, 5), [f"{share:.0f}" for share in np.linspace(0, 100, 5)])
    axes.grid(False, axis="y")
    axes.set_xlabel("share of the explained variation (%)")
    if len(shares) > 1:
        figure.legend(loc="outside lower left", ncols=2)
    of_all = f"{len(points):,} of {len(found):,} points" if len(points) < len(found) else f"{len(points):,} points"
    what = f"{plain(next(iter(shares)), 40)} by" if len(shares) == 1 else "Importance of"
    few = ",\ntoo few for more than a rough guess" if len(points) < POINTS_PER_KEY * len(keys) else ""
    axes.set_title(f"{what} the swept keys: fANOVA on {of_all}{few}", fontsize=11)
    return figure


def drawn(points: list[Point]) -> list[Point]:
    """All of them, or MOST_POINTS drawn without regard to their order, which in a grid is regular."""
    if len(points) <= MOST_POINTS:
        return points
    rows = np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)
    return [points[row] for row in sorted(rows)]


def importances(keys: Sequence[Parameter], values: np.ndarray) -> np.ndarray:
    """[K], adding up to 1, from the keys at each point and one metric [P]: fANOVA (Hutter et al., 2014) by Optuna."""
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    axes: dict[str, BaseDistribution] = {}
    for key in keys:
        if key.scale == "steps":
            axes[key.key] = CategoricalDistribution(range(len(key.steps)))
        else:
            axes[key.key] = FloatDistribution(key.places.min(), key.places.max(), log=key.scale == "log")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it announces the study below
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(verbosity)
    for row, value in enumerate(values):
        params = {key.key: key.places[row].item() for key in keys}
        study.add_trial(optuna.create_trial(params=params, distributions=axes, value=value))
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0))
    return np.array([shares[key.key] for key in keys])
