"""Scores predictions as the section `evaluation` asks: which metrics, and whose F1."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sentexp import evaluation
from sentexp.data.labels import name_of
from sentexp.errors import SentexpError, did_you_mean
from sentexp.imports import import_object
from sentexp.schema import Config

log = logging.getLogger(__name__)


def positive_class(name: str | None, labels: Sequence[str]) -> int:
    """Return the class that evaluation.positive names among `labels`; the last one for None.

    Raises SentexpError if there is no such label, or more than two.
    """
    given = None if name is None else name_of(name)
    if given is None:
        return len(labels) - 1
    if len(labels) > 2:
        raise SentexpError(f"evaluation.positive={name}: expected null, since there are {len(labels)} labels")
    if given not in labels and given.lower() in ("true", "false"):  # YAML's words for a label that is a truth value
        given = given.lower()
    if given not in labels:
        known = ", ".join(labels)
        raise SentexpError(f"evaluation.positive={name}: not one of {known}{did_you_mean(given, labels)}")
    return labels.index(given)


def f1_of(labels: Sequence[str], positive: int) -> str:
    """Return the label whose F1, precision and recall are reported, or of how many labels they are the mean."""
    return labels[positive] if len(labels) == 2 else f"mean of {len(labels)} labels"


def test_metrics(
    config: Config, predictions: evaluation.Predictions, labels: Sequence[str], positive: int
) -> dict[str, float]:
    """Return test/NAME for each metric of `sentexp.evaluation.metrics`, those of evaluation.metrics with them.

    `labels` are the names of the classes, of which `positive` is the one that is looked for among two. The log says
    which metric cannot be computed.
    """
    further = {name: import_object(path) for name, path in config.evaluation.metrics.items()}
    metrics, notes = evaluation.metrics(predictions, further, positive=positive, names=labels)
    for note in notes:
        log.warning("test: %s", note)
    return {f"test/{name}": value for name, value in metrics.items()}
