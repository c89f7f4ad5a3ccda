from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_up_model import BAG_OF_WORDS, trained

DATA = ["data=files", "data.path=reviews.csv"]


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    trained().save(tmp_path / "a")
    trained(BAG_OF_WORDS).save(tmp_path / "b")
    trained(labels=("x", "y")).save(tmp_path / "c")
    texts = [f"a {('bad', 'good')[row % 2]} film {row}" for row in range(100)]
    pd.DataFrame({"text": texts, "label": ["neg", "pos"] * 50}).to_csv(tmp_path / "reviews.csv")
    return ["./a", "./b"]


def test_models_are_compared_on_the_terminal_alone_unless_a_folder_is_named(sentexp, models, tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    program = sentexp("compare", *models, *DATA)
    output, errors = program.communicate(timeout=120)
    assert (program.returncode, errors) == (0, "")
    assert max(len(line) for line in output.splitlines() if not line.startswith("data: ")) <= 80
    assert "McNemar p" in output
    assert {path.name for path in tmp_path.iterdir()} - before == {"cache"}


@pytest.mark.slow
def test_the_report_goes_to_a_folder_and_if_asked_to_mlflow(sentexp, models, tmp_path: Path) -> None:
    program = sentexp("compare", *DATA, *models, "--output", "out", "--record")
    output, errors = program.communicate(timeout=120)
    assert program.returncode == 0, errors
    files = {"comparison.html", "metrics.csv", "tests.csv", "parameters.csv", "disagreements.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    from mlflow import MlflowClient

    (run,) = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"])
    assert output.splitlines()[-1] == f"recorded as run {run.info.run_id} of experiment sentexp"
    assert run.info.run_name == "compare ./a, ./b"
    folder = Path(run.info.artifact_uri.removeprefix("file://")) / "comparison"
    assert {path.name for path in folder.iterdir()} == files


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["./a", *DATA], "compare: 1 RUN; expected two or more"),
        (["./a", "./c", *DATA], "./c: has the labels x, y; expected neg, pos, as ./a has"),
        (["./a", "./nowhere", *DATA], "nowhere: no such folder"),
        (["./a", "./b"], "data: the run has recorded none; expected data=..."),
    ],
)
def test_a_mistake_is_one_line_and_status_2(sentexp_here, models, arguments: list[str], words: str) -> None:
    ended = sentexp_here("compare", *arguments)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    assert words in ended.errors
