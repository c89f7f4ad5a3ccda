from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from made_up_model import trained
from rich.console import Console

from sentexp.use.evaluating import evaluate
from sentexp.use.evaluation_report import print_evaluation, write_evaluation
from sentexp.use.judging import load_reviews

LABELS = tuple(f"label {number}" for number in range(14))


def printed(evaluated) -> str:
    output = io.StringIO()
    print_evaluation(evaluated, Console(file=output, width=80))
    return output.getvalue()


def test_the_terminal_shows_metrics_slices_calibration_and_threshold_in_80_columns(config) -> None:
    own = config(reviews=200)
    text = printed(evaluate(trained(), load_reviews(own), own))
    assert max(map(len, text.splitlines())) <= 80
    assert "40 test reviews" in text
    for word in ("accuracy", "f1 (pos)", "95 % interval", "length", "negation", "unknown words", "label"):
        assert word in text
    assert "calibration: temperature" in text
    assert "threshold: pos from probability" in text
    assert "f1_weighted" not in text


def test_of_many_labels_the_terminal_shows_some_and_says_where_the_others_are(config) -> None:
    own = config(labels=LABELS, reviews=280)
    text = printed(evaluate(trained(labels=LABELS), load_reviews(own), own))
    assert text.count("label 1 ") + text.count("label 13 ") == 1
    assert "2 more labels in slices.csv" in text
    assert "f1 (mean of 14 labels)" in text
    assert "no threshold: there are 14 labels" in text


def test_the_folder_has_the_report_of_a_run_with_tables_and_one_page(config, tmp_path: Path) -> None:
    own = config(reviews=200)
    reviews = load_reviews(own)
    evaluated = evaluate(trained(), reviews, own)
    folder = tmp_path / "report"
    write_evaluation(evaluated, "<b>mine</b>", reviews, own, folder)
    assert {path.name for path in folder.iterdir()} == {
        "accuracy_by_length.png", "calibration.png", "confusion_matrix.png", "precision_recall.png", "roc.png",
        "classes.csv", "mistakes.csv", "mistakes.html", "predictions.csv",
        "metrics.csv", "slices.csv", "evaluation.html",
    }  # fmt: skip
    metrics = pd.read_csv(folder / "metrics.csv").set_index("metric")
    assert metrics.loc["test/accuracy", "value"] == pytest.approx(evaluated.metrics["test/accuracy"].value)
    assert pd.read_csv(folder / "slices.csv")["reviews"].tolist() == evaluated.slices["reviews"].tolist()
    page = (folder / "evaluation.html").read_text(encoding="utf-8")
    assert "Those of slices are Wilson&#x27;s (1927)." in page
    assert "Evaluation of &lt;b&gt;mine&lt;/b&gt;" in page
    assert page.count("data:image/png;base64,") == 5
    assert "http" not in page
