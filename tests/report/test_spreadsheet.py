from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from sentexp.report.run.folder import write_reports
from sentexp.report.spreadsheet import write_csv


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("+1+1", "'+1+1"), ("-2 of 5", "'-2 of 5"), ("@a", "'@a"),
        ("\t=1", "'\t=1"), ("\r=1", "'\n=1"), ("a\r=1", "a\n=1"), ("good = bad", "good = bad"),
        ("'quoted'", "'quoted'"), ("-1", "-1"),
        ("+0.5", "+0.5"), ("- a list", "'- a list"), ("", ""),
    ],
)  # fmt: skip
def test_a_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(value: str, shown: str, tmp_path: Path) -> None:
    write_csv(pd.DataFrame({"text": [value, "x"]}), tmp_path / "a.csv")
    assert cells(tmp_path / "a.csv") == [["text"], [shown], ["x"]]


def test_numbers_and_missing_values_stay_as_they_are(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"a": [-1.5, float("nan")], "b": [-3, 4], "c": [None, "x"], "d": [True, False], "e": [-0.5, "y"]}
    )
    write_csv(table, tmp_path / "a.csv")
    assert cells(tmp_path / "a.csv")[1:] == [["-1.5", "-3", "", "True", "-0.5"], ["", "4", "x", "False", "y"]]
    assert table["e"].tolist() == [-0.5, "y"]


def test_columns_of_one_name_keep_their_values(tmp_path: Path) -> None:
    write_csv(pd.DataFrame([["=a", "b"]], columns=["x", "x"]), tmp_path / "a.csv")
    assert cells(tmp_path / "a.csv") == [["x", "x"], ["'=a", "b"]]


def test_the_reviews_of_a_report_are_no_formulas(tmp_path: Path) -> None:
    write_reports(
        tmp_path, history=None, best_epoch=None, probabilities=[[0.9, 0.1], [0.2, 0.8]], labels=[1, 0], lengths=[1, 1],
        texts=["=HYPERLINK(1)", "+1 film"], names=["neg", "pos"], positive=1, with_texts=True,
    )  # fmt: skip
    for name in ("predictions.csv", "mistakes.csv"):
        table = pd.read_csv(tmp_path / name)
        assert set(table["text"]) == {"'=HYPERLINK(1)", "'+1 film"}
