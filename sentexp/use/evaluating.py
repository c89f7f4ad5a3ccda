"""Evaluates one trained model on the test reviews of some data: metrics, slices, calibration and threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sentexp import evaluation, scores, statistics
from sentexp.books import Overlap
from sentexp.data.reviews import Reviews
from sentexp.lines import printable
from sentexp.messages import SHOWN
from sentexp.report.notebook import notebook_table
from sentexp.schema import METRICS, Config
from sentexp.statistics import Interval
from sentexp.trained_ensemble import Predictor
from sentexp.use.judging import Judged, judge, seen_before
from sentexp.use.shown import INTERVAL, ends, number
from sentexp.use.slices import slice_table, slices

# Shapes: N reviews of a split, C classes

NAN = float("nan")


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities are what they promise, before and after scaling by a temperature."""

    temperature: float
    """Fitted on the validation reviews; above 1, the model is too sure of itself."""
    reviews: int
    """These validation reviews."""
    ece: tuple[float, float]
    """Expected calibration error on the test reviews, before and after."""
    loss: tuple[float, float]
    """Loss on the test reviews in nats, before and after."""


@dataclass(frozen=True)
class Threshold:
    """The probability from which on the answer had better be the positive label."""

    metric: str
    """For which it is the best on the validation reviews; one of `schema.THRESHOLD_METRICS`."""
    positive: str
    """Label that is answered from the threshold on."""
    value: float
    valid: float
    """The metric on the validation reviews."""
    test: float
    """The metric on the test reviews."""
    test_at_half: float
    """The metric on the test reviews with the threshold 0.5."""


@dataclass(frozen=True)
class Evaluation:
    """What is known of a model after its evaluation."""

    source: str
    """Where the reviews come from."""
    labels: list[str]
    """Name of each class of the model."""
    positive: int
    """The class that is looked for among two."""
    judged: dict[str, Judged]
    """By split."""
    metrics: dict[str, Interval]
    """test/NAME for each metric; the ends are NaN for one that is not resampled."""
    slices: pd.DataFrame
    """See `slice_table`."""
    calibration: Calibration | None
    """None without validation reviews."""
    threshold: Threshold | None
    """None without validation reviews, or with more than two labels."""
    notes: list[str]
    """What is missing, and what makes the numbers say too much."""
    overlap: Overlap | None = None
    """The test reviews that the model has seen beside its training reviews; None where nothing is known."""

    @property
    def transductive(self) -> bool:
        """True if the metrics are those of a model that has seen texts of the test reviews."""
        return self.overlap is not None and self.overlap.transductive

    @property
    def f1_of(self) -> str:
        """Whose F1, precision and recall are meant."""
        return scores.f1_of(self.labels, self.positive)

    def __repr__(self) -> str:
        shown = ", ".join(" ".join(row[:2]) for row in self.metric_rows(self.main_metrics()))
        return f"Evaluation({printable(self.title)}: {printable(shown)})"

    def _repr_html_(self) -> str:
        rows = [("", "value", INTERVAL), *self.metric_rows(self.main_metrics())]
        return notebook_table(self.title, rows, self.notes)

    @property
    def title(self) -> str:
        """How many test reviews there are and where they come from, as one line."""
        return f"{len(self.judged['test'].lengths):,} test reviews of {self.source}"

    def main_metrics(self) -> list[str]:
        """Return the names of the metrics that are shown where not all are: the usual ones, and the user's own."""
        return [name for name in self.metrics if name in SHOWN or name not in METRICS]

    def metric_rows(self, names: Iterable[str]) -> list[tuple[str, str, str]]:
        """Return what people call each of these metrics, its value and its interval, as texts."""
        rows = []
        for name in names:
            short, one = name.removeprefix("test/"), self.metrics[name]
            called = f"{short} ({self.f1_of})" if short in ("f1", "precision", "recall") else short
            rows.append((called, number(one.value), ends(one)))
        return rows

    def recorded_metrics(self) -> dict[str, float]:
        """Return all numbers by the names under which they are recorded."""
        found = {name: one.value for name, one in self.metrics.items()}
        labels = evaluation.of_each_label(self.judged["test"].predictions, self.labels)
        found |= {f"test/{name}": value for name, value in labels.items()}
        if self.calibration is not None:
            scaled = self.calibration
            found["calibration/temperature"] = scaled.temperature
            for name, (before, after) in {"ece": scaled.ece, "loss": scaled.loss}.items():
                found |= {f"calibration/{name}": before, f"calibration/{name}_scaled": after}
        if self.threshold is not None:
            best = self.threshold
            found["threshold/value"] = best.value
            found |= {f"threshold/valid_{best.metric}": best.valid, f"threshold/test_{best.metric}": best.test}
        return found


def evaluate(trained: Predictor, reviews: Reviews, config: Config, threshold_for: str = "accuracy") -> Evaluation:
    """Evaluate a model on the split test of `reviews`; what is chosen is chosen on their split valid.

    `config.data` says where `reviews` come from, or is None for reviews in hand. `threshold_for` is one of
    `schema.THRESHOLD_METRICS`. Raises SentexpError as `judge` does, and for an
    evaluation.positive that is none of the model's labels.
    """
    scores.positive_class(config.evaluation.positive, trained.labels)  # refused before anything is predicted
    return evaluate_judged(trained, judge(trained, reviews, config), reviews, config, threshold_for)


def evaluate_judged(
    trained: Predictor, judged: dict[str, Judged], reviews: Reviews, config: Config, threshold_for: str = "accuracy"
) -> Evaluation:
    """Evaluate what a model has said of `reviews`; see `evaluate`."""
    labels = trained.labels
    positive = scores.positive_class(config.evaluation.positive, labels)
    test = judged["test"]
    metrics = scores.test_metrics(config, test.predictions, labels, positive)
    parts, notes = slices(
        test.lengths.numpy(),
        test.known_words.numpy(),
        test.predictions.labels.numpy(),
        reviews.splits["test"]["text"],
        names=labels,
        language=trained.language,
    )
    seen = seen_before(trained, reviews, config)
    notes = [*seen.notes, *notes]
    calibration = threshold = None
    if "valid" not in judged:
        notes.append("no temperature and no threshold: the data have no validation reviews to choose them by")
    else:
        calibration = calibrate(judged["valid"].predictions, test.predictions)
        if len(labels) == 2:
            threshold = choose_threshold(
                judged["valid"].predictions, test.predictions, threshold_for, positive=positive, names=labels
            )
        else:
            notes.append(f"no threshold: there are {len(labels)} labels, and it divides two")
    return Evaluation(
        source=reviews.source,
        labels=labels,
        positive=positive,
        judged=judged,
        metrics=with_intervals(metrics, test.predictions, positive),
        slices=slice_table(parts, right_answers(test.predictions)),
        calibration=calibration,
        threshold=threshold,
        notes=notes,
        overlap=seen.overlap,
    )


def right_answers(predictions: evaluation.Predictions) -> np.ndarray:
    """Return whether each answer is the label, bool [N]."""
    return (predictions.answers == predictions.labels).numpy()


def with_intervals(
    metrics: dict[str, float], predictions: evaluation.Predictions, positive: int
) -> dict[str, Interval]:
    """Return each of the metrics, named test/NAME, with its bootstrap interval if it is one that is resampled."""
    values, drawn = resampled(predictions, positive)
    ends = dict(zip(statistics.RESAMPLED, statistics.intervals(values, drawn), strict=True))
    found = {}
    for name, value in metrics.items():
        end = ends.get(name.removeprefix("test/"))
        found[name] = Interval(value, NAN, NAN) if end is None else Interval(value, end.low, end.high)
    return found


def resampled(predictions: evaluation.Predictions, positive: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the metrics `statistics.RESAMPLED` [6], and their values over resamples of the reviews [R, 6]."""
    probabilities, labels = as_arrays(predictions)
    statistic = statistics.weighted_metrics(probabilities, labels, positive)
    values = statistic(np.ones((1, len(labels)), np.float32))[0]
    return values, statistics.bootstrap(statistic, len(labels))


def as_arrays(predictions: evaluation.Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities, float64 [N, C], and the labels, int64 [N]."""
    return predictions.probabilities.double().numpy(), predictions.labels.numpy()


def calibrate(valid: evaluation.Predictions, test: evaluation.Predictions) -> Calibration:
    """Fit the temperature on `valid`, and return what it makes of the probabilities of `test`."""
    probabilities, labels = as_arrays(test)
    temperature = statistics.fit_temperature(*as_arrays(valid))
    both = (probabilities, statistics.scaled(probabilities, temperature))
    right, lowest = right_answers(test), 1 / probabilities.shape[1]
    before, after = (statistics.expected_calibration_error(one.max(1), right, lowest) for one in both)
    losses = [statistics.cross_entropy(one, labels) for one in both]
    return Calibration(temperature, len(valid.labels), (before, after), (losses[0], losses[1]))


def choose_threshold(
    valid: evaluation.Predictions, test: evaluation.Predictions, metric: str, *, positive: int, names: Sequence[str]
) -> Threshold:
    """Choose the threshold on `valid` by one of `schema.THRESHOLD_METRICS`, and judge it on `test`."""

    def scores(predictions: evaluation.Predictions) -> tuple[np.ndarray, np.ndarray]:
        probabilities, labels = as_arrays(predictions)
        return probabilities[:, positive], labels == positive

    value = statistics.best_threshold(metric, *scores(valid))
    (on_valid,) = statistics.at_thresholds(metric, *scores(valid), np.array([value]))
    on_test, at_half = statistics.at_thresholds(metric, *scores(test), np.array([value, 0.5]))
    return Threshold(metric, names[positive], value, float(on_valid), float(on_test), float(at_half))
