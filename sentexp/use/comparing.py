"""Compares trained models on the same test reviews: metrics, paired tests, and the reviews they disagree on."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from sentexp import evaluation, scores, statistics
from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.redact import flatten
from sentexp.report.run.mistakes import LONGEST_KEPT
from sentexp.schema import Config
from sentexp.statistics import Interval
from sentexp.tracking.interface import NOT_PARAMETERS
from sentexp.trained_ensemble import Predictor
from sentexp.use.evaluating import resampled, right_answers
from sentexp.use.judging import judge, reordered, seen_before

# Shapes: N test reviews, R resamples

ABSENT = "-"
"""Stands for a key that a run does not have."""


@dataclass(frozen=True)
class Contestant:
    """One of the models that are compared."""

    letter: str
    """What tables call it: A, B ..."""
    name: str
    run_id: str | None
    """None for a folder."""
    config: dict[str, str]
    """Its parameters by their dotted keys."""
    predictions: evaluation.Predictions
    """Its classes are in the order of the first model's."""
    metrics: dict[str, Interval]
    """One for each of `statistics.RESAMPLED`."""
    transductive: bool = False
    """True if it has seen texts of the test reviews; see `sentexp.books`."""

    @property
    def mark(self) -> str:
        """The letter, with a star if the model is transductive."""
        return f"{self.letter}*" if self.transductive else self.letter


@dataclass(frozen=True)
class PairedTest:
    """How a model differs from the first one on the same reviews."""

    letter: str
    differences: dict[str, Interval]
    """This model's value less the first one's, for each of `statistics.RESAMPLED`."""
    only_first: int
    """Reviews on which the first model alone is right."""
    only_this: int
    """Reviews on which this model alone is right."""
    p: float
    """p-value of McNemar's exact test: how seldom two models that are equally often right differ that much."""


@dataclass(frozen=True)
class Comparison:
    """Two models or more on the same test reviews."""

    source: str
    """Where the reviews come from."""
    reviews: int
    f1_of: str
    """Whose F1, precision and recall are meant."""
    contestants: list[Contestant]
    parameters: pd.DataFrame
    """A row for each parameter that differs: parameter, and a column for each letter."""
    tests: list[PairedTest]
    """One for each contestant but the first."""
    disagreements: pd.DataFrame
    """A row for each review that is not given the same label by all, those that are most sure of it first: row, place
    (if the source says), true, and for each letter the label and its probability; then text."""
    notes: list[str]
    """What makes it an unequal comparison."""

    def by_kind(self) -> list[tuple[str, list[Contestant]]]:
        """Return the inductive models and the transductive ones, each with a heading, which is empty where all are
        inductive."""
        seen, others = ([one for one in self.contestants if one.transductive is kind] for kind in (True, False))
        if not seen:
            return [("", others)]
        heading = "* transductive: has seen texts of the test reviews, not to be ranked with models that have not"
        return [*([("inductive", others)] if others else []), (heading, seen)]

    def mark_of(self, letter: str) -> str:
        """Return the mark of the model with this letter."""
        return next(one.mark for one in self.contestants if one.letter == letter)


def compare(models: Sequence[tuple[str, str | None, Predictor]], reviews: Reviews, config: Config) -> Comparison:
    """Compare models, each given with its name and the id of its run, on the split test of `reviews`.

    Each predicts with its own text pipeline. Raises SentexpError as `judge` does, and for models whose labels differ.
    """
    labels = models[0][2].labels
    for name, _, trained in models[1:]:
        if set(trained.labels) != set(labels):
            raise SentexpError(
                f"{name}: has the labels {', '.join(trained.labels)}; "
                f"expected {', '.join(labels)}, as {models[0][0]} has"
            )
    positive = scores.positive_class(config.evaluation.positive, labels)
    contestants, draws, notes = [], [], []
    for letter, (name, run_id, trained) in zip(letters(), models, strict=False):
        predictions = reordered(judge(trained, reviews, config)["test"].predictions, trained.labels, labels)
        values, drawn = resampled(predictions, positive)
        metrics = dict(zip(statistics.RESAMPLED, statistics.intervals(values, drawn), strict=True))
        seen = seen_before(trained, reviews, config)
        transductive = seen.overlap is not None and seen.overlap.transductive
        contestants.append(Contestant(letter, name, run_id, parameters_of(trained), predictions, metrics, transductive))
        draws.append((values, drawn))
        notes += [f"{letter}: {note}" for note in seen.notes]
    tests = []
    for contestant, (values, drawn) in zip(contestants[1:], draws[1:], strict=True):
        differences = statistics.intervals(values - draws[0][0], drawn - draws[0][1])  # paired: of the same resamples
        first, this = right_answers(contestants[0].predictions), right_answers(contestant.predictions)
        only_first, only_this = int((first & ~this).sum()), int((this & ~first).sum())
        by_metric = dict(zip(statistics.RESAMPLED, differences, strict=True))
        p = statistics.mcnemar(only_first, only_this)
        tests.append(PairedTest(contestant.letter, by_metric, only_first, only_this, p))
    return Comparison(
        source=reviews.source,
        reviews=len(reviews.splits["test"]),
        f1_of=scores.f1_of(labels, positive),
        contestants=contestants,
        parameters=differing_parameters(contestants),
        tests=tests,
        disagreements=disagreements(contestants, labels, reviews),
        notes=notes,
    )


def letters() -> Iterator[str]:
    """Yield A to Z, then AA, AB ..."""
    for length in range(1, 4):
        yield from map("".join, product(string.ascii_uppercase, repeat=length))


def parameters_of(trained: Predictor) -> dict[str, str]:
    """Return what the run was configured to be, by dotted keys; where and how it was recorded is left out."""
    sections: dict[str, Any] = {key: value for key, value in trained.config.items() if key not in NOT_PARAMETERS}
    return flatten(sections)


def differing_parameters(contestants: Sequence[Contestant]) -> pd.DataFrame:
    """Return `Comparison.parameters`, in the order of the first run's configuration."""
    keys = dict.fromkeys(key for one in contestants for key in one.config)
    rows = []
    for key in keys:
        values = [one.config.get(key, ABSENT) for one in contestants]
        if key.endswith("._target_"):
            values = [".".join(value.split(".")[-2:]) for value in values]  # files.load for sentexp.data.files.load
        if len(set(values)) > 1:
            rows.append([key, *values])
    return pd.DataFrame(rows, columns=["parameter", *(one.letter for one in contestants)])


def disagreements(contestants: Sequence[Contestant], labels: Sequence[str], reviews: Reviews) -> pd.DataFrame:
    """Return `Comparison.disagreements`."""
    answers = np.stack([one.predictions.answers.numpy() for one in contestants])  # [contestants, N]
    confidence = np.stack([one.predictions.probabilities.amax(1).numpy() for one in contestants])
    rows = np.flatnonzero((answers != answers[0]).any(0))
    rows = rows[np.argsort(-confidence[:, rows].sum(0), kind="stable")]
    test, place = reviews.splits["test"], reviews.places.get("test")
    truth = contestants[0].predictions.labels.numpy()
    columns: dict[str, Any] = {"row": rows}
    if place is not None:
        columns["place"] = [place(int(row)) for row in rows]
    columns["true"] = [labels[number] for number in truth[rows]]
    for one, answered, sureness in zip(contestants, answers, confidence, strict=True):
        columns[one.letter] = [labels[number] for number in answered[rows]]
        columns[f"{one.letter} probability"] = sureness[rows].astype(float)
    columns["text"] = [test[int(row)]["text"][:LONGEST_KEPT] for row in rows]
    return pd.DataFrame(columns)
