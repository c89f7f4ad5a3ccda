"""The report of a run as files in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentexp import evaluation
from sentexp.report.run import mistakes
from sentexp.report.run.by_length import accuracy_by_length
from sentexp.report.run.calibration import reliability
from sentexp.report.run.confusion import confusion_matrix
from sentexp.report.run.learning import learning_curves
from sentexp.report.run.ranking import precision_recall, roc
from sentexp.report.spreadsheet import write_csv
from sentexp.report.style import save

# Shapes: N reviews of the split, C classes


def write_reports(
    folder: Path,
    *,
    history: Sequence[Mapping[str, float]] | None,
    best_epoch: int | None,
    probabilities: Any,
    labels: Any,
    lengths: Any,
    texts: Sequence[str],
    names: Sequence[str],
    positive: int = 1,
    places: Sequence[str] | None = None,
    with_texts: bool = False,
    split: str = "test",
    note: str = "",
) -> list[Path]:
    """Write the report into `folder`, and return the paths of its files:

    - learning_curves.png, from the `history` and `best_epoch` of a FitResult; not without a history
    - confusion_matrix.png, roc.png, precision_recall.png, calibration.png, accuracy_by_length.png
    - classes.csv: F1, precision, recall and the number of reviews of each label
    - mistakes.html and mistakes.csv: the 50 most confident mistakes
    - predictions.csv: one row per review; with its place in its source if `places` [N] is given, and with its text if
      `with_texts`

    The predictions are those of one split: `probabilities` [N, C], `labels` [N] and `lengths` in tokens [N] as arrays
    or CPU tensors, `texts` [N], of which only those of the shown mistakes are accessed, and the `names` of the classes
    [C], of which `positive` is the one that is looked for among two. Reviews with an unknown label, -1, are only in
    predictions.csv; if all are unknown, only that and the learning curves are written. `note` is what has to be known
    of the figures, in one line; mistakes.html says it.

    Raises ValueError if the shapes do not fit together.
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

    pictures = {} if history is None else {"learning_curves": learning_curves(history, best_epoch)}
    predicted = prediction_table(probabilities, labels, lengths, names)
    if places is not None:
        predicted.insert(1, "place", list(places))
    if with_texts:
        predicted["text"] = list(texts[:])
    write_csv(predicted, folder / "predictions.csv")
    written = [folder / "predictions.csv"]

    known = np.flatnonzero(labels >= 0)
    if len(known):
        right = answers[known] == labels[known]
        of_known = (probabilities[known], labels[known], names)
        pictures |= {
            "confusion_matrix": confusion_matrix(answers[known], labels[known], names),
            "roc": roc(*of_known, positive),
            "precision_recall": precision_recall(*of_known, positive),
            "calibration": reliability(confidence[known], right, len(names)),
            "accuracy_by_length": accuracy_by_length(lengths[known], right),
        }
        table = evaluation.by_class(answers[known], labels[known], len(names))
        classes = pd.DataFrame({"label": list(names), **dict(zip(evaluation.OF_CLASS, table.T, strict=False))})
        classes["reviews"] = table[:, evaluation.SUPPORT].astype(int)
        write_csv(classes, folder / "classes.csv")
        written.append(folder / "classes.csv")
        judged = np.where(labels >= 0, labels, answers)  # an answer to an unknown label is no mistake
        worst = mistakes.most_confident(confidence, answers, judged, lengths, texts, names)
        write_csv(worst, folder / "mistakes.csv")
        page = mistakes.mistakes_page(worst, wrong=int((~right).sum()), total=len(known), split=split, note=note)
        (folder / "mistakes.html").write_text(page, encoding="utf-8")
        written += [folder / "mistakes.csv", folder / "mistakes.html"]
    for name, picture in pictures.items():
        save(picture, folder / f"{name}.png")
        written.append(folder / f"{name}.png")
    return sorted(written)


def prediction_table(
    probabilities: np.ndarray, labels: np.ndarray, lengths: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    """Return one row per review: row, true (empty if unknown), predicted, confidence, words, probability_<label>...

    Takes probabilities [N, C], labels [N], lengths in tokens [N] (the column words) and the names of the classes [C].
    """
    named = np.array([*names, ""], dtype=object)  # the index -1 of an unknown label is the last
    table = {
        "row": np.arange(len(labels)),
        "true": named[labels],
        "predicted": named[:-1][probabilities.argmax(1)],
        "confidence": probabilities.max(1, initial=0),
        "words": lengths,
    }
    table |= {f"probability_{name}": probabilities[:, index] for index, name in enumerate(names)}
    return pd.DataFrame(table)
