from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from made_up_model import BAG_OF_WORDS, WHITESPACE, trained

DATA = ["data=files", "data.path=reviews.csv", "data.valid_fraction=0.2"]


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    trained().save(tmp_path / "a")
    trained(BAG_OF_WORDS, tokenizer=WHITESPACE).save(tmp_path / "b")
    trained(labels=("x", "y")).save(tmp_path / "c")
    texts = [f"a {('bad', 'good')[row % 2]} film {row}" for row in range(100)]
    pd.DataFrame({"text": texts, "label": ["neg", "pos"] * 50}).to_csv(tmp_path / "reviews.csv")
    return ["./a", "./b"]


def test_its_figures_are_printed_and_what_it_made_predicts(sentexp, sentexp_here, models, tmp_path: Path) -> None:
    program = sentexp("ensemble", *models, *DATA, "--weights", "3,1", "--no-record", "--output", "out")
    output, errors = program.communicate(timeout=120)
    assert (program.returncode, errors) == (0, "")
    logged = ("data: ", "report: ")
    assert max(len(line) for line in output.splitlines() if not line.startswith(logged)) <= 80
    assert "ensemble: 0.7500 ./a + 0.2500 ./b" in output
    assert "20 test reviews" in output
    assert "model: out/model" in output
    assert "recorded" not in output
    assert not (tmp_path / "mlflow.db").exists()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model", "reports"}

    answers = {
        run: json.loads(sentexp_here("predict", run, "not bad", "--json").output)["probabilities"]["pos"]
        for run in ("out", *models)
    }
    assert answers["out"] == pytest.approx(0.75 * answers["./a"] + 0.25 * answers["./b"], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["./a", *DATA], "ensemble: 1 RUN; expected two or more"),
        (["./a", "./c", *DATA], "./c: has the labels x, y; expected neg, pos, as ./a has"),
        (["./a", "./a", *DATA], "./a: the same model as ./a; expected each once"),
        (["./a", "./nowhere", *DATA], "nowhere: no such folder"),
        (["./a", "./b"], "./a: data: the run has recorded none; expected data=..."),
        (["./a", "./b", *DATA, "--weights", "0.5"], "weights 0.5: expected valid, equal or 2 numbers"),
        (["./a", "./b", *DATA, "evaluation.positive=good"], "evaluation.positive=good: not one of neg, pos"),
        (["./a", "./b", *DATA, "trainer.device=cuda:99"], "trainer.device=cuda:99"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(sentexp_here, models, arguments: list[str], words: str) -> None:
    ended = sentexp_here("ensemble", *arguments, "--no-record")
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    assert words in ended.errors


@pytest.mark.slow
def test_an_lstm_and_a_linear_model_become_a_run_that_every_command_takes_or_refuses(sentexp, tmp_path: Path) -> None:
    def run(*arguments: str, status: int = 0) -> str:
        program = sentexp(*arguments)
        output, errors = program.communicate(timeout=300)
        assert program.returncode == status, errors
        return output if status == 0 else errors

    data = ["data.size=1000", "data.valid_fraction=0.2"]
    lstm = ["model.hidden_size=16", "model.bidirectional=true", "trainer.epochs=4", "trainer.processes=1"]
    run(*data, *lstm, "tracking.run_name=lstm")
    run(*data, "data.unlabelled=50", "tokenizer=basic", "model=nb_ngrams", "tracking.run_name=words")
    made = run("ensemble", "lstm", "words")
    assert "recorded as run " in made
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    newest, words, lstm_run = client.search_runs(["1"], order_by=["attributes.start_time DESC"])
    assert newest.info.run_name == "ensemble lstm, words"
    assert [newest.data.tags[f"member.{place}"] for place in (1, 2)] == [lstm_run.info.run_id, words.info.run_id]
    of_members = [one.data.metrics["best/valid_loss"] for one in (lstm_run, words)]
    assert newest.data.metrics["valid/loss"] <= min(of_members) + 1e-6
    assert "transductive" not in newest.data.tags

    text = run("predict", "latest", "not bad at all")
    assert text.split("\t")[0] in ("negative", "positive")
    run("compare", "latest", "lstm", "words", "--output", "compared")
    run("evaluate", "latest")
    judged, *_ = client.search_runs(["1"], order_by=["attributes.start_time DESC"])
    assert judged.data.tags["mlflow.parentRunId"] == newest.info.run_id
    assert judged.data.metrics["test/loss"] == pytest.approx(newest.data.metrics["test/loss"], abs=1e-6)
    for command in (["explain", "latest", "good"], ["export", "latest", "--to", "torch", "--output", "exported"]):
        line = run(*command, status=2)
        assert len(line.splitlines()) == 1
        assert "an ensemble of 2 models; expected one model, such as its member" in line
        assert any(one.info.run_id[:8] in line for one in (lstm_run, words))

    run(*data, *lstm, "data.seed=1", "trainer.epochs=1", "tracking.run_name=other")
    line = run("ensemble", "lstm", "other", status=2)
    assert line.startswith("sentexp: other: has other validation reviews than lstm")
