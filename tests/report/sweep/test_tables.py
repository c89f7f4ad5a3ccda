from __future__ import annotations

from pathlib import Path

import made_up_sweeps as made_up
import pandas as pd
import pytest

from sentexp.report.sweep.tables import (
    format_mean_and_deviation,
    format_metric,
    jobs_table,
    points_table,
    ranked_points,
)


def test_a_job_is_a_row_with_its_keys_metrics_and_end(tmp_path: Path) -> None:
    table = jobs_table(made_up.search(tmp_path))
    assert list(table.columns) == [
        "number", "optimizer.lr", "model.output_dropout", "model", "state", "best/valid_accuracy", "test/accuracy",
        "best/epoch", "seconds", "error", "run_id",
    ]  # fmt: skip
    assert list(table["number"]) == list(range(30))
    assert table.loc[4, ["state", "error"]].tolist() == ["failed", "RuntimeError: out of <memory>"]
    assert pd.isna(table.loc[4, "best/valid_accuracy"])
    assert table.loc[0, "test/accuracy"] == pytest.approx(table.loc[0, "best/valid_accuracy"] - 0.1)


def test_seeds_have_a_column_where_there_are_several(tmp_path: Path) -> None:
    assert list(jobs_table(made_up.seeds(tmp_path))["seed"]) == [0, 1, 2] * 3
    assert list(jobs_table(made_up.nothing_finished(tmp_path))["seed"]) == ["0", "1", "2", "3"]  # a swept key


def test_a_point_is_a_row_with_mean_and_deviation_over_its_seeds(tmp_path: Path) -> None:
    table = points_table(made_up.seeds(tmp_path))
    assert list(table["n"]) == [2, 3, 1]
    assert list(table["best/valid_accuracy"]) == pytest.approx([0.75, 0.8, 0.6])
    assert list(table["best/valid_accuracy sd"]) == pytest.approx([0.0707, 0.01, float("nan")], abs=1e-4, nan_ok=True)
    assert list(table["test/accuracy"]) == pytest.approx([0.65, 0.7, 0.5])
    assert list(table["states"]) == ["2 finished, 1 failed", "3 finished", "1 finished, 1 pruned, 1 waiting"]
    assert list(table["jobs"]) == ["0 1 2", "3 4 5", "6 7 8"]


def test_values_stand_in_the_tables_as_on_the_command_line(tmp_path: Path) -> None:
    results = made_up.odd_values(tmp_path)
    jobs_table(results).to_csv(tmp_path / "jobs.csv", index=False)
    read = pd.read_csv(tmp_path / "jobs.csv", keep_default_na=False)
    assert list(read["text.init_token"])[:4] == ["null", "true", "[a,b]", "'<b>$x_1$</b>'"]
    assert list(read["swept state"]) == [0, 1] * 5  # the swept key does not hide the job's state
    assert set(read["state"]) == {"finished"}


def test_transductive_models_have_a_column_where_there_are_some(tmp_path: Path) -> None:
    results = made_up.seeds(tmp_path)
    for table in (jobs_table(results), points_table(results)):
        assert "transductive" not in table
    marked = made_up.transductive(tmp_path)
    assert list(jobs_table(marked)["transductive"]) == ["yes", "", "", "", "", "", "", "", ""]
    assert list(points_table(marked)["transductive"]) == ["yes", "", ""]


def test_points_are_ranked_by_the_first_metric_and_its_direction(tmp_path: Path) -> None:
    results = made_up.seeds(tmp_path)
    assert [point.overrides for point in ranked_points(results)] == [("data=b",), ("data=a",), ("data=c",)]
    upside_down = made_up.sweep(tmp_path, results.swept, results.jobs, ("loss",), ("minimize",))
    # c was pruned for one of its seeds: it is no best point, however good the other was
    assert [point.overrides for point in ranked_points(upside_down)] == [("data=a",), ("data=c",), ("data=b",)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.87123, "0.8712"),
        (0.0, "0.0000"),
        (0.00001234, "1.234e-05"),
        (123456.0, "1.235e+05"),
        (None, ""),
        (5, "5.0000"),
    ],
)
def test_metrics_have_four_digits(value: float | None, shown: str) -> None:
    assert format_metric(value) == shown


def test_a_deviation_stands_beside_its_mean(tmp_path: Path) -> None:
    points = made_up.seeds(tmp_path).points()
    assert [format_mean_and_deviation(point, 0) for point in points] == ["0.7500 ± 0.0707", "0.8000 ± 0.0100", "0.6000"]


def test_a_metric_that_is_called_like_a_column_has_one_of_its_own(tmp_path: Path) -> None:
    results = made_up.two_objectives(tmp_path)
    table = jobs_table(results)
    assert table.loc[0, "seconds"] == 12.345
    assert table.loc[0, "metric seconds"] == results.jobs[0].values[1]  # type: ignore[index]
    assert "metric seconds sd" in points_table(results)


def test_a_key_that_a_point_leaves_out_is_an_empty_cell(tmp_path: Path) -> None:
    results = made_up.left_out(tmp_path)
    for table in (jobs_table(results), points_table(results)):
        assert ((table["optimizer.lr"] == "") == (table["optimizer"] == "sgd")).all()
        assert ((table["model.hidden_size"] == "") == (table["model"] == "bag_of_words")).all()
