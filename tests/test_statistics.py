from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import bootstrap as scipys_bootstrap
from sklearn import metrics as sklearns
from torch import from_numpy

from sentexp import evaluation, statistics
from sentexp.schema import THRESHOLD_METRICS


def made_up(reviews: int, classes: int, seed: int = 0, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [N, C] and labels [N] of a model that is often right."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, reviews)
    labels[:classes] = range(classes)
    logits = generator.normal(size=(reviews, classes)) + 1.5 * np.eye(classes)[labels]
    probabilities = softmax(logits.round(1) if ties else logits, 1).astype(np.float32)  # as a model gives them
    return probabilities.astype(np.float64), labels


def test_wilson_gives_the_textbook_interval() -> None:
    low, high = statistics.wilson(np.array([8, 0, 5]), np.array([10, 10, 5]))
    assert low == pytest.approx([0.4902, 0, 0.5655], abs=1e-3)
    assert high == pytest.approx([0.9433, 0.2775, 1], abs=1e-3)


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        ([0.75] * 4, [1, 1, 1, 0], 0.0),
        ([1.0] * 4, [1, 1, 0, 0], 0.5),
        ([0.61, 0.61, 0.9, 0.9], [1, 0, 1, 1], (0.11 * 2 + 0.1 * 2) / 4),
        ([], [], 0.0),
    ],
)
def test_ece_is_the_mean_gap_between_confidence_and_accuracy(
    confidence: list[float], right: list[int], error: float
) -> None:
    found = statistics.expected_calibration_error(np.array(confidence), np.array(right, dtype=bool), lowest=0.5)
    assert found == pytest.approx(error)


@given(
    models=st.integers(2, 5),
    reviews=st.integers(1, 60),
    spread=st.sampled_from([0.1, 1.0, 10.0, 100.0]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=100, deadline=None)
def test_no_other_weights_have_a_lower_loss(models: int, reviews: int, spread: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = softmax(spread * generator.normal(size=(models, reviews, 3)), -1)
    labels = generator.integers(0, 3, reviews)
    weights = statistics.fit_weights(probabilities, labels)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    # the loss is convex: it is lowest where no model's share can grow to advantage (Karush, Kuhn and Tucker)
    own = np.maximum(probabilities[:, np.arange(reviews), labels], statistics.LEAST_PROBABILITY)
    gains = (own / (weights @ own)).mean(1)
    assert gains.max() <= 1 + 1e-4


def test_a_model_that_adds_nothing_has_no_weight_and_equal_ones_share_it() -> None:
    good, labels = made_up(200, 2)
    assert statistics.fit_weights(np.stack([good, np.full_like(good, 0.01)]), labels) == pytest.approx([1, 0])
    found = statistics.fit_weights(np.stack([good, good]), labels)
    assert found.sum() == pytest.approx(1)


def test_resamples_of_the_mean_are_as_scipys() -> None:
    values = np.random.default_rng(1).exponential(size=400)
    drawn = statistics.bootstrap(lambda weights: weights @ values[:, None] / len(values), len(values), resamples=4000)
    (found,) = statistics.intervals(np.array([values.mean()]), drawn)
    theirs = scipys_bootstrap((values,), np.mean, method="percentile", n_resamples=4000, random_state=2)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)
    assert drawn.std() == pytest.approx(theirs.standard_error, rel=0.05)


def test_the_same_seed_draws_the_same_reviews_however_large_a_block_is(monkeypatch) -> None:
    def rows(weights: np.ndarray) -> np.ndarray:
        return weights

    first = statistics.bootstrap(rows, 7, resamples=10)
    assert (first.sum(1) == 7).all()
    monkeypatch.setattr(statistics, "BLOCK", 7 * 3)
    assert (statistics.bootstrap(rows, 7, resamples=10) == first).all()
    assert (statistics.bootstrap(rows, 7, resamples=10, seed=1) != first).any()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_the_weighted_metrics_are_those_of_the_reviews_drawn(classes: int, ties: bool) -> None:
    probabilities, labels = made_up(60, classes, ties=ties)
    statistic = statistics.weighted_metrics(probabilities, labels, positive=classes - 1)
    weights = np.random.default_rng(3).integers(0, 3, (5, 60)).astype(np.float32)
    weights[:, :classes] += 1  # every class is drawn
    for drawn, found in zip(weights, statistic(weights), strict=True):
        rows = np.repeat(np.arange(60), drawn.astype(int))
        losses = -np.log(probabilities[rows, labels[rows]])
        predictions = evaluation.Predictions(
            from_numpy(probabilities[rows]).float(), from_numpy(labels[rows]), float(losses.mean())
        )
        expected, _ = evaluation.metrics(predictions, positive=classes - 1)
        assert found == pytest.approx([expected[name] for name in statistics.RESAMPLED], abs=1e-5)


def test_a_resample_without_a_class_has_no_roc_auc_and_does_not_count() -> None:
    probabilities, labels = made_up(4, 2)
    found = statistics.weighted_metrics(probabilities, labels, positive=1)(np.eye(4, dtype=np.float32)[:1] * 4)
    assert np.isnan(found[0, statistics.RESAMPLED.index("roc_auc")])
    assert statistics.intervals(np.array([0.5]), np.array([[np.nan], [0.25]]))[0] == statistics.Interval(
        0.5, 0.25, 0.25
    )
    assert np.isnan(statistics.intervals(np.array([0.5]), np.array([[np.nan]]))[0].low)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 0, 1.0), (0, 5, 2 / 2**5), (10, 2, 2 * (1 + 12 + 66) / 2**12)],
)
def test_mcnemar_is_a_coin_thrown_for_each_review_on_which_one_alone_is_right(only_first, only_second, p) -> None:
    assert statistics.mcnemar(only_first, only_second) == pytest.approx(p)
    assert statistics.mcnemar(only_second, only_first) == pytest.approx(p)


def test_a_temperature_undoes_the_one_that_was_put_in() -> None:
    probabilities, _ = made_up(20_000, 3)
    drawn = np.random.default_rng(4).random((len(probabilities), 1))
    labels = (drawn > probabilities.cumsum(1)[:, :2]).sum(1)  # as often as the probabilities say
    too_sure = statistics.scaled(probabilities, 0.5)
    assert statistics.fit_temperature(too_sure, labels) == pytest.approx(2, rel=0.05)
    assert statistics.scaled(too_sure, 2) == pytest.approx(probabilities, abs=1e-6)
    assert statistics.cross_entropy(probabilities, labels) == pytest.approx(
        sklearns.log_loss(labels, probabilities / probabilities.sum(1, keepdims=True))
    )


@given(
    arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(2, 4)), elements=st.floats(-300, 300)),
    st.floats(*statistics.TEMPERATURES),
)
def test_scaled_probabilities_sum_to_1_and_answer_the_same(logits: np.ndarray, temperature: float) -> None:
    probabilities = softmax(logits, 1)
    found = statistics.scaled(probabilities, temperature)
    assert np.isfinite(found).all()
    assert found.sum(1) == pytest.approx(1)
    best = probabilities.argmax(1)
    assert found[np.arange(len(found)), best] == pytest.approx(found.max(1))


SKLEARNS = {
    "accuracy": sklearns.accuracy_score,
    "f1": lambda truth, answers: sklearns.f1_score(truth, answers, zero_division=0),
    "f1_macro": lambda truth, answers: sklearns.f1_score(
        truth, answers, labels=[False, True], average="macro", zero_division=0
    ),
    "balanced_accuracy": lambda truth, answers: sklearns.recall_score(
        truth, answers, labels=[False, True], average="macro", zero_division=0
    ),
    "mcc": sklearns.matthews_corrcoef,
}


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("metric", THRESHOLD_METRICS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_best_threshold_is_as_good_as_any_other_by_scikit_learns_metrics(metric: str, data: st.DataObject) -> None:
    scores = data.draw(arrays(np.float64, st.integers(1, 12), elements=st.sampled_from([0, 0.2, 0.5, 0.7, 0.9, 1])))
    truth = data.draw(arrays(bool, len(scores)))
    grid = np.r_[0.0, 0.1, 0.3, 0.5, 0.6, 0.8, 0.95, 1.0]
    expected = [SKLEARNS[metric](truth, scores >= threshold) for threshold in grid]
    assert statistics.at_thresholds(metric, scores, truth, grid) == pytest.approx(expected)
    best = statistics.best_threshold(metric, scores, truth)
    within = grid[(grid > scores.min()) & (grid <= scores.max())]
    values = statistics.at_thresholds(metric, scores, truth, np.r_[best, 0.5, within])
    assert values[0] == pytest.approx(values.max())


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken() -> None:
    scores, truth = np.array([0.1, 0.2, 0.3, 0.9]), np.array([False, False, False, True])
    assert statistics.best_threshold("accuracy", scores, truth) == 0.5
    assert statistics.best_threshold("accuracy", scores, np.array([False, False, True, True])) == pytest.approx(0.25)
