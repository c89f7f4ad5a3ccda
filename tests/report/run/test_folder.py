from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from sentexp.report.run.folder import prediction_table, write_reports

PICTURES = [
    "accuracy_by_length.png", "calibration.png", "confusion_matrix.png", "learning_curves.png",
    "precision_recall.png", "roc.png",
]  # fmt: skip
TABLES = ["classes.csv", "mistakes.csv", "mistakes.html", "predictions.csv"]


def epochs(count: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "train/loss": 0.7 / epoch,
            "train/accuracy": 1 - 0.5 / epoch,
            "valid/loss": 0.7 / epoch,
            "valid/accuracy": 1 - 0.5 / epoch,
        }
        for epoch in range(1, count + 1)
    ]


def results(labels: list[int], classes: int, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        "history": epochs(3),
        "best_epoch": 2,
        "probabilities": torch.tensor(generator.dirichlet(np.ones(classes), len(labels)), dtype=torch.float32),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "lengths": torch.tensor(generator.integers(1, 500, len(labels))),
        "texts": [f"review {row}" for row in range(len(labels))],
        "names": [f"label {index}" for index in range(classes)],
    }


@pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1] * 20, 2),
        ([0, 1, 2, 3] * 10, 4),
        (list(range(12)) * 3, 12),  # more classes than there are colours
        ([0, 2, 0, 2], 3),  # a class without a review
        ([1, 1, 1], 2),  # a split of one class
        ([0], 2),
    ],
    ids=["two", "four", "twelve", "absent", "single", "one review"],
)
def test_every_file_is_written_whatever_the_split_holds(tmp_path: Path, labels: list[int], classes: int) -> None:
    written = write_reports(tmp_path / "reports", **results(labels, classes))
    assert sorted(path.name for path in written) == sorted(PICTURES + TABLES)
    assert all((tmp_path / "reports" / name).read_bytes()[:4] == b"\x89PNG" for name in PICTURES)
    assert len(pd.read_csv(tmp_path / "reports" / "predictions.csv")) == len(labels)


def test_reviews_of_unknown_label_are_predicted_and_not_judged(tmp_path: Path) -> None:
    given = results([0, 1, -1, -1], 2)
    given["probabilities"] = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    write_reports(tmp_path, **given)
    assert list(pd.read_csv(tmp_path / "mistakes.csv")["row"]) == [1]
    assert "1 of 1 mistakes among 2 reviews" in (tmp_path / "mistakes.html").read_text(encoding="utf-8")
    assert pd.read_csv(tmp_path / "predictions.csv")["true"].isna().tolist() == [False, False, True, True]


def test_without_a_known_label_only_predictions_and_learning_curves_remain(tmp_path: Path) -> None:
    written = write_reports(tmp_path, **results([-1, -1], 2))
    assert [path.name for path in written] == ["learning_curves.png", "predictions.csv"]


def test_one_epoch_or_none_is_drawn_too(tmp_path: Path) -> None:
    for history, best in ((epochs(1), 1), ([], None)):
        written = write_reports(tmp_path, **{**results([0, 1], 2), "history": history, "best_epoch": best})
        assert len(written) == len(PICTURES + TABLES)


def test_a_model_that_is_only_evaluated_has_no_learning_curves(tmp_path: Path) -> None:
    written = write_reports(tmp_path, **{**results([0, 1], 2), "history": None, "best_epoch": None})
    assert sorted(path.name for path in written) == sorted({*PICTURES, *TABLES} - {"learning_curves.png"})


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        write_reports(tmp_path, **{**results([0, 1], 2), "texts": ["one"]})


def test_labels_in_any_script_and_with_formula_signs_are_drawn_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    write_reports(tmp_path, **{**results([0, 1, 0, 1], 2), "names": ["很好", r"$\frac{" + "x" * 80]})
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]


def test_matplotlibs_settings_are_left_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    write_reports(tmp_path, **results([0, 1], 2))
    assert dict(matplotlib.rcParams) == before


def test_predictions_name_labels_and_probabilities() -> None:
    table = prediction_table(np.array([[0.25, 0.75], [0.6, 0.4]]), np.array([1, -1]), np.array([3, 4]), ["neg", "pos"])
    assert table.to_dict("records") == [
        {"row": 0, "true": "pos", "predicted": "pos", "confidence": 0.75, "words": 3, "probability_neg": 0.25,
         "probability_pos": 0.75},
        {"row": 1, "true": "", "predicted": "neg", "confidence": 0.6, "words": 4, "probability_neg": 0.6,
         "probability_pos": 0.4},
    ]  # fmt: skip


def test_places_and_texts_stand_beside_the_predictions(tmp_path: Path) -> None:
    given = results([0, 1], 2)
    write_reports(tmp_path, **given, places=["a.csv:2", "a.csv:9"], with_texts=True)
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table.columns[:3]) == ["row", "place", "true"]
    assert list(table["place"]) == ["a.csv:2", "a.csv:9"]
    assert list(table["text"]) == ["review 0", "review 1"]
