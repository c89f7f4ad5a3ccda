"""Intervals, paired tests and calibration, from arrays of labels and probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sentexp.schema import THRESHOLD_METRICS

# Shapes: N reviews, C classes, M models, R resamples, r resamples of a block, S values of a statistic

RESAMPLES = 1000

LEVEL = 0.95
"""Share of the resamples that an interval holds."""

BLOCK = 4_000_000
"""Weights that are in memory at a time."""

BINS = 10
"""Bins of confidence of the expected calibration error."""

TEMPERATURES = (0.05, 20.0)
"""Bounds of the temperature that is fitted."""

LEAST_PROBABILITY = 1e-38
"""A probability of 0, whose logarithm is needed, is taken for this: about the least that float32 holds with all its
digits."""


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(right: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95 % interval of each share right/total (Wilson, 1927); `total` must be positive."""
    z = 1.959964
    share = right / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


Statistic = Callable[[np.ndarray], np.ndarray]
"""A function from the weights of the reviews, float32 [r, N], to values [r, S]; weight 2 is a review drawn twice."""


def bootstrap(statistic: Statistic, reviews: int, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return the values of `statistic` over resamples of that many reviews, float64 [R, S] (Efron, 1979).

    The same seed draws the same reviews, so that values of two models on the same reviews are paired.

    >>> right = np.array([1.0, 1.0, 0.0, 1.0])
    >>> bootstrap(lambda weights: weights @ right[:, None] / len(right), len(right)).shape
    (1000, 1)
    """
    blocks = [statistic(weights) for weights in _weights(reviews, resamples, seed)]
    return np.concatenate(blocks).astype(np.float64)


def _weights(reviews: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each review is drawn, float32 [r, N], in blocks that are small enough for the memory."""
    generator = np.random.default_rng(seed)
    size = max(1, BLOCK // max(1, reviews))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        weights = np.empty((count, reviews), np.float32)
        for row in weights:  # one by one, since the counts of a single resample stay in the processor's cache
            row[:] = np.bincount(generator.integers(0, reviews, reviews), minlength=reviews)
        yield weights


def intervals(values: np.ndarray, drawn: np.ndarray) -> list[Interval]:
    """Return each of the values [S] with the percentile interval of its resamples [R, S].

    A resample in which the value is not defined, NaN, does not count; without any other the ends are NaN.
    """
    tail = 100 * (1 - LEVEL) / 2
    found = []
    for value, column in zip(values, drawn.T, strict=True):
        defined = column[~np.isnan(column)]
        low, high = np.percentile(defined, [tail, 100 - tail]) if len(defined) else (np.nan, np.nan)
        found.append(Interval(float(value), float(low), float(high)))
    return found


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of McNemar's test (1947).

    The arguments count the reviews on which only the first, or only the second, of two models is right. Small values
    say that models which are right equally often would seldom differ that much.
    """
    from scipy.stats import binomtest

    pairs = only_first + only_second
    return float(binomtest(only_first, pairs).pvalue) if pairs else 1.0


RESAMPLED = ("loss", "accuracy", "f1", "precision", "recall", "roc_auc")
"""Metrics that `weighted_metrics` gives, as `sentexp.evaluation.metrics` defines them."""


def weighted_metrics(probabilities: np.ndarray, labels: np.ndarray, positive: int) -> Statistic:
    """Return a statistic of RESAMPLED, [r, 6], for predictions [N, C] of labelled reviews [N].

    A metric that a resample does not allow is NaN: roc_auc needs reviews of every class.
    """
    classes = probabilities.shape[1]
    losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], LEAST_PROBABILITY))
    answers = probabilities.argmax(1)
    truth, answered = np.eye(classes)[labels], np.eye(classes)[answers]  # [N, C]
    table = np.concatenate([truth, answered, truth * answered, losses[:, None]], 1).astype(np.float32)
    rankings = [positive] if classes == 2 else range(classes)
    areas = [_auc(probabilities[:, one], labels == one) for one in rankings]

    def statistic(weights: np.ndarray) -> np.ndarray:
        sums = weights @ table  # [r, 3 C + 1]
        support, predicted, hits = (sums[:, part * classes : (part + 1) * classes] for part in range(3))
        f1 = _ratio(2 * hits, support + predicted)
        precision, recall = _ratio(hits, predicted), _ratio(hits, support)
        of_classes = [one[:, positive] if classes == 2 else one.mean(1) for one in (f1, precision, recall)]
        total = weights.sum(1)
        auc = np.stack([area(weights) for area in areas]).mean(0)
        return np.stack([sums[:, -1] / total, hits.sum(1) / total, *of_classes, auc], 1)

    return statistic


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part/whole, and 0 for 0/0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _auc(scores: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from weights [r, N] to the area under the ROC curve [r]; equal scores count half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])  # where each distinct score begins
    own = truth[order]

    def area(weights: np.ndarray) -> np.ndarray:
        ordered = weights[:, order]
        positives = np.add.reduceat(ordered * own, starts, axis=1)
        negatives = np.add.reduceat(ordered * ~own, starts, axis=1)
        below = np.cumsum(negatives, axis=1, dtype=np.float64) - negatives / 2
        pairs = positives.sum(1, dtype=np.float64) * negatives.sum(1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return (positives * below).sum(1) / pairs  # NaN for 0/0

    return area


def bins_of_confidence(confidence: np.ndarray, lowest: float) -> np.ndarray:
    """Return the bin of each confidence [N], of BINS of equal width from `lowest` to 1."""
    scaled = (np.asarray(confidence, dtype=float) - lowest) / (1 - lowest) * BINS
    return np.clip(scaled.astype(int), 0, BINS - 1)


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, lowest: float) -> float:
    """Return the ECE (Guo et al., 2017): the mean gap between confidence and accuracy over the bins, from 0 to 1.

    `confidence` [N] is the probability of each answer, at least `lowest`; `right` [N] whether the answer was right.
    """
    if not len(confidence):
        return 0.0
    gaps = np.bincount(bins_of_confidence(confidence, lowest), confidence - right, BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities [N, C] as if the logits had been divided by `temperature`; the answers stay the same."""
    logits = np.log(np.maximum(probabilities, LEAST_PROBABILITY)) / temperature
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative logarithm, in nats, of the probability [N, C] that each review's label [N] has."""
    own = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, LEAST_PROBABILITY)).mean())


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature within TEMPERATURES by which the loss is lowest (Guo et al., 2017).

    Takes probabilities [N, C] and labels [N] of reviews that the model was not trained on. Above 1, the model was too
    sure of itself.
    """
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        return cross_entropy(scaled(probabilities, float(np.exp(logarithm))), labels)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x))


def fit_weights(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the weights [M], not negative and of sum 1, with which the mean of the models' probabilities has the
    lowest loss.

    Takes probabilities [M, N, C] and labels [N] of reviews that no model was trained on. The loss is convex in the
    weights, so the lowest one is found from any start.

    >>> sure, unsure = [[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]]
    >>> fit_weights(np.array([sure, unsure]), np.array([0, 1])).round(6).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import minimize

    own = np.maximum(probabilities[:, np.arange(len(labels)), labels], LEAST_PROBABILITY)  # [M, N]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = weights @ own  # [N]
        return float(-np.log(mixed).mean()), -(own / mixed).mean(1)

    models = len(own)
    found = minimize(
        loss,
        np.full(models, 1 / models),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * models,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.maximum(found.x, 0)
    return weights / weights.sum()


def at_thresholds(metric: str, scores: np.ndarray, truth: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return one of THRESHOLD_METRICS [S] for each threshold [S]: scores [N] from it on are answered with yes.

    `truth` [N] is whether yes would be right. What would be 0 divided by 0 is 0.
    """
    yes, no = np.sort(scores[truth]), np.sort(scores[~truth])
    missed, rejected = np.searchsorted(yes, thresholds), np.searchsorted(no, thresholds)
    found, false = len(yes) - missed, len(no) - rejected
    f1, f1_of_no = _share(2 * found, 2 * found + false + missed), _share(2 * rejected, 2 * rejected + false + missed)
    if metric == "accuracy":
        return _share(found + rejected, np.full(len(thresholds), len(scores)))
    if metric == "f1":
        return f1
    if metric == "f1_macro":
        return (f1 + f1_of_no) / 2
    if metric == "balanced_accuracy":
        return (_share(found, found + missed) + _share(rejected, rejected + false)) / 2
    if metric == "mcc":
        product = [part.astype(float) for part in (found + false, found + missed, rejected + false, rejected + missed)]
        return _share(found * rejected - false * missed, np.sqrt(np.prod(product, axis=0)))
    raise ValueError(f"{metric}: expected one of {', '.join(THRESHOLD_METRICS)}")


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return _ratio(part.astype(float), whole.astype(float))


def best_threshold(metric: str, scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the threshold with the best `metric` on reviews with these scores [N]; of equally good ones the nearest
    to 0.5.

    Thresholds lie halfway between two neighbouring scores, so that none depends on the last digit of one.
    """
    distinct = np.unique(scores)
    thresholds = np.r_[0.5, (distinct[1:] + distinct[:-1]) / 2]
    values = at_thresholds(metric, scores, truth, thresholds)
    best = thresholds[values >= values.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])
