from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from made_up_model import trained

DATA = ["data=files", "data.path=reviews.csv"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    trained().save(tmp_path / "model")
    texts = [f"a {('bad', 'good')[row % 2]} film {row}" for row in range(100)]
    pd.DataFrame({"text": texts, "label": ["neg", "pos"] * 50}).to_csv(tmp_path / "reviews.csv")
    return "./model"


def test_a_model_of_a_folder_is_judged_on_data_that_are_named(sentexp, model, tmp_path: Path) -> None:
    program = sentexp("evaluate", model, *DATA, "trainer.device=cpu", "--threshold-for", "mcc", "--output", "out")
    output, errors = program.communicate(timeout=120)
    assert (program.returncode, errors) == (0, "")
    logged = ("data: ", "report: ")
    assert max(len(line) for line in output.splitlines() if not line.startswith(logged)) <= 80
    assert "data: reviews.csv: 72 train, 8 valid, 20 test reviews; labels neg, pos" in output
    assert "the best for mcc" in " ".join(output.split())
    assert "report: out (evaluation.html" in output
    assert output.splitlines()[-1] == "not recorded: RUN is a folder, not a run in MLflow"
    assert (tmp_path / "out" / "evaluation.html").is_file()
    assert not (tmp_path / "mlflow.db").exists()


def test_without_output_the_report_goes_to_a_folder_named_by_the_time(sentexp_here, model, tmp_path: Path) -> None:
    ended = sentexp_here("evaluate", model, *DATA, "--no-record")
    assert ended.status == 0, ended.errors
    (page,) = (tmp_path / "outputs").glob("*/*-evaluate/evaluation.html")
    assert f"report: {page.parent.relative_to(tmp_path)} (" in ended.output
    assert "not recorded" not in ended.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["data: the run has recorded none; expected data=..."]),
        (
            [*DATA, "model.hidden_size=3"],
            ["model.hidden_size=3: the model stays as it was trained", "expected keys of"],
        ),
        (["data=files", "data.path=nowhere.csv"], ["data.path=nowhere.csv: no such file"]),
        (
            [*DATA, "data.label_map={neg: bad, pos: good}"],
            ["labels bad, good, the model has neg, pos", "data.label_map"],
        ),
        ([*DATA, "evaluation.positive=good"], ["evaluation.positive=good: not one of neg, pos"]),
        ([*DATA, "trainer.device=cuda:99"], ["trainer.device=cuda:99"]),
        ([*DATA, "--threshold-for", "loss"], ["'loss' is not one of", "'mcc'"]),
        ([*DATA, "--config-dir", "nowhere"], ["nowhere", "does not exist"]),
        ([*DATA, "--output", "reviews.csv/report"], ["--output reviews.csv/report: expected a folder"]),
    ],
)
def test_a_mistake_is_one_line_and_status_2(sentexp_here, model, arguments: list[str], words: list[str]) -> None:
    ended = sentexp_here("evaluate", model, *arguments)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    for word in words:
        assert word in ended.errors


@pytest.mark.parametrize("command", ["evaluate", "compare", "ensemble"])
def test_the_help_shows_examples_and_imports_nothing_heavy(command: str) -> None:
    script = f"import sys; sys.argv = ['sentexp', '{command}', '--help']; from sentexp.cli import main; main(); "
    script += "print({'torch', 'mlflow', 'numpy'} & set(sys.modules))"
    checked = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert f"sentexp {command} latest" in checked.stdout
    assert checked.stdout.splitlines()[-1] == "set()"


@pytest.mark.slow
def test_a_recorded_run_is_judged_as_it_was_in_training_and_gets_a_child(sentexp, tmp_path: Path) -> None:
    tiny = ["data.size=400", "trainer.epochs=1", "model.hidden_size=8", "trainer.processes=1"]
    trainer = sentexp(*tiny, "evaluation.positive=negative")
    _, errors = trainer.communicate(timeout=300)
    assert trainer.returncode == 0, errors
    program = sentexp("evaluate", "latest")
    output, errors = program.communicate(timeout=120)
    assert program.returncode == 0, errors
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    child, parent = client.search_runs(["1"], order_by=["attributes.start_time DESC"])
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert f"run {child.info.run_id}" in output
    of_test = {name for name in parent.data.metrics if name.startswith("test/")}
    assert {name: child.data.metrics[name] for name in of_test} == pytest.approx(
        {name: parent.data.metrics[name] for name in of_test}, abs=1e-6
    )
    assert {file.path for file in client.list_artifacts(child.info.run_id, "reports")} >= {"reports/evaluation.html"}


@pytest.mark.parametrize("command", [["evaluate", "./model"], ["compare", "./model", "./model"]])
def test_files_that_a_folder_from_elsewhere_names_are_not_composed(sentexp_here, tmp_path: Path, command) -> None:
    model = trained()
    data = {"_target_": "sentexp.data.demo.load", "size": 40, "seed": 0, "limit": None}
    model.config["data"] = {**data, "defaults": ["demo", "_self_", "../../../../proc/self/cwd/model/pay"]}
    model.save(tmp_path / "model")
    (tmp_path / "model" / "pay.yaml").write_text("# @package data\n_target_: shutil.copy\nsrc: x\ndst: RAN\n")
    (tmp_path / "x").touch()
    ended = sentexp_here(*command)
    assert "RAN" not in [path.name for path in tmp_path.iterdir()]
    assert "shutil" not in ended.errors
