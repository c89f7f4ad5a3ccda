from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
import torch
from made_up_model import trained

from sentexp import evaluation, statistics
from sentexp.use.evaluating import calibrate, choose_threshold, evaluate, resampled
from sentexp.use.judging import load_reviews


def predictions(probabilities: list[float], labels: list[int]) -> evaluation.Predictions:
    """Predictions of two classes, from the probability of the second."""
    second = torch.tensor(probabilities)
    return evaluation.Predictions(torch.stack([1 - second, second], 1), torch.tensor(labels), 0.5)


def test_the_metrics_are_those_of_training_with_intervals_around_them(config) -> None:
    model, own = trained(), config("+evaluation.metrics.brier=sklearn.metrics.log_loss", reviews=200)
    found = evaluate(model, load_reviews(own), own)
    test = found.judged["test"].predictions
    expected, _ = evaluation.metrics(test, names=model.labels)
    values = {name.removeprefix("test/"): one.value for name, one in found.metrics.items()}
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert set(values) == {*expected, "brier"}
    for name in statistics.RESAMPLED:
        assert found.metrics[f"test/{name}"].low <= values[name] <= found.metrics[f"test/{name}"].high
    assert np.isnan(found.metrics["test/brier"].low)


def test_every_number_has_a_name_under_which_it_is_recorded(config) -> None:
    model, own = trained(), config("evaluation.positive=neg", reviews=200)
    found = evaluate(model, load_reviews(own), own, threshold_for="f1")
    recorded = found.recorded_metrics()
    assert {"test/accuracy", "test/recall/neg", "calibration/temperature", "calibration/ece_scaled"} <= set(recorded)
    assert {"calibration/loss", "threshold/value", "threshold/valid_f1", "threshold/test_f1"} <= set(recorded)
    assert all(np.isfinite(value) for value in recorded.values())
    assert (found.f1_of, found.threshold.positive) == ("neg", "neg")


def test_slices_and_metrics_speak_of_the_same_reviews(config) -> None:
    own = config(reviews=200)
    found = evaluate(trained(), load_reviews(own), own)
    for _, rows in found.slices.groupby("slice"):
        assert rows["reviews"].sum() == 40
        mean = np.average(rows["accuracy"], weights=rows["reviews"])
        assert mean == pytest.approx(found.metrics["test/accuracy"].value)


def test_more_than_two_labels_have_no_threshold_and_that_is_said(config) -> None:
    labels = ("bad", "fair", "good")
    own = config(labels=labels, reviews=90)
    found = evaluate(trained(labels=labels), load_reviews(own), own)
    assert found.threshold is None
    assert found.calibration is not None
    assert "no threshold: there are 3 labels, and it divides two" in found.notes


def test_without_validation_reviews_nothing_is_chosen_and_that_is_said(config) -> None:
    own = config()
    reviews = load_reviews(own, ["test"])
    found = evaluate(trained(), reviews, own)
    assert (found.calibration, found.threshold) == (None, None)
    assert found.notes == ["no temperature and no threshold: the data have no validation reviews to choose them by"]


def test_the_temperature_is_fitted_on_validation_and_judged_on_test() -> None:
    valid = predictions([0.99] * 10, [1] * 7 + [0] * 3)
    test = predictions([0.99] * 10 + [0.01] * 10, [1] * 8 + [0] * 2 + [0] * 8 + [1] * 2)
    found = calibrate(valid, test)
    softened = 1 / (1 + (0.01 / 0.99) ** (1 / found.temperature))
    assert softened == pytest.approx(0.7, abs=1e-3)  # what validation says; test would say 0.8
    assert found.ece == pytest.approx((0.19, 0.1), abs=1e-3)
    assert found.loss[1] == pytest.approx(-(0.8 * np.log(0.7) + 0.2 * np.log(0.3)), abs=1e-3)
    assert found.reviews == 10


def test_the_threshold_is_chosen_on_validation_and_judged_on_test() -> None:
    valid = predictions([0.1, 0.6, 0.7, 0.9], [0, 0, 1, 1])
    test = predictions([0.2, 0.55, 0.64, 0.8], [0, 0, 1, 1])
    found = choose_threshold(valid, test, "accuracy", positive=1, names=["neg", "pos"])
    assert (found.value, found.valid) == (pytest.approx(0.65), 1)
    assert (found.test, found.test_at_half) == (0.75, 0.75)
    negative = choose_threshold(valid, test, "accuracy", positive=0, names=["neg", "pos"])
    assert (negative.value, negative.positive) == (pytest.approx(0.35), "neg")


def test_predictions_that_are_all_the_same_can_be_resampled_too() -> None:
    values, drawn = resampled(predictions([0.7] * 6, [1, 1, 1, 0, 0, 0]), positive=1)
    found = dict(zip(statistics.RESAMPLED, statistics.intervals(values, drawn), strict=True))
    assert found["roc_auc"] == statistics.Interval(0.5, 0.5, 0.5)
    assert found["recall"] == statistics.Interval(1, 1, 1)


def test_a_language_other_than_english_is_told(config, caplog) -> None:
    with caplog.at_level(logging.INFO):
        own = config()
        model = trained(tokenizer={"_target_": "sentexp.text.tokenizers.SpacyTokenizer", "language": "de"})
        found = evaluate(dataclasses.replace(model), load_reviews(own), own)
    assert "no slices by negation: its words are English, tokenizer.language is de" in found.notes
