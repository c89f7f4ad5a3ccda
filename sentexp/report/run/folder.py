"""All reports of a run as files in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentexp.report.run import mistakes
from sentexp.report.run.by_length import accuracy_by_length
from sentexp.report.run.calibration import reliability
from sentexp.report.run.confusion import confusion_matrix
from sentexp.report.run.learning import learning_curves
from sentexp.report.run.ranking import precision_recall, roc
from sentexp.report.style import save

# Shapes: N reviews of the split, C classes


def write_reports(
    folder: Path,
    *,
    history: Sequence[Mapping[str, float]],
    best_epoch: int | None,
    probabilities: Any,
    labels: Any,
    lengths: Any,
    texts: Sequence[str],
    names: Sequence[str],
    split: str = "test",
) -> list[Path]:
    """Writes into `folder`, and returns what it wrote:

    - learning_curves.png from the `history` that training.fit returns,
    - confusion_matrix.png, roc.png, precision_recall.png, calibration.png, accuracy_by_length.png,
    - mistakes.html and mistakes.csv, the 50 most confident ones,
    - predictions.csv, a line for each review

    from the split's probabilities [N, C], labels [N], lengths in words [N] (arrays or CPU tensors), texts [N], of which
    only a few are read, and the classes' names [C]. Reviews with an unknown label, -1, are left out of all but
    predictions.csv; without any other there are only that and the learning curves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    labels, lengths = np.asarray(labels, dtype=np.int64), np.asarray(lengths, dtype=np.int64)
    if probabilities.shape != (len(labels), len(names)) or not len(labels) == len(lengths) == len(texts):
        raise ValueError(
            f"probabilities {probabilities.shape}, labels {labels.shape}, lengths {lengths.shape}, "
            f"{len(texts)} texts and {len(names)} names do not belong together"
        )
    answers, confidence = probabilities.argmax(1), probabilities.max(1, initial=0)

    figures = {"learning_curves": learning_curves(history, best_epoch)}
    predicted = prediction_table(probabilities, labels, lengths, names)
    predicted.to_csv(folder / "predictions.csv", index=False, float_format="%.6g")
    written = [folder / "predictions.csv"]

    known = np.flatnonzero(labels >= 0)
    if len(known):
        right = answers[known] == labels[known]
        of_known = (probabilities[known], labels[known], names)
        figures |= {
            "confusion_matrix": confusion_matrix(answers[known], labels[known], names),
            "roc": roc(*of_known),
            "precision_recall": precision_recall(*of_known),
            "calibration": reliability(confidence[known], right, len(names)),
            "accuracy_by_length": accuracy_by_length(lengths[known], right),
        }
        where_known = np.where(labels >= 0, labels, answers)  # an unknown label makes no mistake
        worst = mistakes.most_confident(confidence, answers, where_known, lengths, texts, names)
        worst.to_csv(folder / "mistakes.csv", index=False, float_format="%.6g")
        page = mistakes.page(worst, wrong=int((~right).sum()), total=len(known), split=split)
        (folder / "mistakes.html").write_text(page, encoding="utf-8")
        written += [folder / "mistakes.csv", folder / "mistakes.html"]
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")
        written.append(folder / f"{name}.png")
    return sorted(written)


def prediction_table(
    probabilities: np.ndarray, labels: np.ndarray, lengths: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    """A line for each review: row, true (empty if unknown), predicted, confidence, words, probability_<label>..."""
    named = np.array([*names, ""], dtype=object)  # -1 finds the last
    table = {
        "row": np.arange(len(labels)),
        "true": named[labels],
        "predicted": named[:-1][probabilities.argmax(1)],
        "confidence": probabilities.max(1, initial=0),
        "words": lengths,
    }
    table |= {f"probability_{name}": probabilities[:, index] for index, name in enumerate(names)}
    return pd.DataFrame(table)
