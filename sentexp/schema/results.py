"""The keys of evaluation, and the names of the metrics that a run records."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from sentexp.errors import one_line
from sentexp.imports import import_object
from sentexp.schema.keys import key


@dataclass
class EvaluationConfig:
    metrics: Any = key()
    """Further metrics by their name, each the dotted path of a function (labels [N], probabilities [N, C]) -> float."""
    baseline: bool = key()
    """Compare the test accuracy with those of the most frequent label and of a quick linear model."""
    texts: bool = key()
    """Write the texts of the test reviews into predictions.csv."""
    positive: Optional[str] = key()
    """The label whose F1, precision and recall are reported where there are two; without it the last one."""

    def problems(self) -> Iterator[str]:
        if not isinstance(self.metrics, Mapping):
            yield f"evaluation.metrics={self.metrics}: expected names, each with a dotted path"
            return
        for name, path in self.metrics.items():
            shown = f"evaluation.metrics.{name}={path}"
            if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):  # what MLflow takes as a name
                yield f"{shown}: expected a name made of letters, digits, _, - and ."
            if f"test/{name}" in METRICS:
                yield f"{shown}: {name} is always computed; expected another name"
            try:
                found = import_object(str(path))
            except Exception as error:  # importing runs the user's code
                yield f"{shown}: cannot be imported ({one_line(error)}); expected package.module.function"
            else:
                if not callable(found):
                    yield f"{shown}: is {type(found).__name__}, expected a function"
                elif not _takes_two(found):
                    yield f"{shown}: cannot be called with two arguments, labels [N] and probabilities [N, C]"


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind("labels", "probabilities")
    except TypeError:
        return False
    except ValueError:  # some built-in functions do not tell their signature
        return True
    return True


METRICS = (
    "best/valid_accuracy", "best/valid_loss", "best/epoch", "test/loss", "test/accuracy", "test/f1", "test/roc_auc",
    "test/precision", "test/recall", "test/f1_macro", "test/precision_macro", "test/recall_macro", "test/f1_weighted",
    "test/precision_weighted", "test/recall_weighted",
)  # fmt: skip
"""Results of every run, by which a sweep can be told to compare its jobs."""

OF_LANGUAGE_MODELS = ("best/valid_perplexity", "best/valid_loss", "best/epoch")
"""The results of a run with task=language_model."""

THRESHOLD_METRICS = ("accuracy", "f1", "f1_macro", "balanced_accuracy", "mcc")
"""Metrics for which a threshold between two labels can be chosen."""
