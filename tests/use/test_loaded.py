from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import torch
from made_up_model import trained

import sentexp
from sentexp.data.demo import load as load_demo
from sentexp.errors import SentexpError
from sentexp.runs import FoundRun
from sentexp.use.evaluating import evaluate
from sentexp.use.judging import load_reviews
from sentexp.use.loaded import LoadedModel, load

JUDGED = ["trainer.device=cpu", "trainer.precision=fp32"]
TABLE = pd.DataFrame({"text": ["a good film", "bad", None, "not good"], "label": ["pos", "neg", "neg", "neg"]})


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    monkeypatch.setenv("SENTEXP_CACHE_DIR", str(tmp_path / "cache"))
    trained().save(tmp_path / "run" / "model")
    return load(tmp_path / "run")


def test_it_predicts_and_explains_as_its_model_does(model: LoadedModel) -> None:
    assert torch.equal(model.predict(["a good film"]), model.trained.predict(["a good film"]))
    assert model.labels == ["neg", "pos"]
    found = model.explain("not bad", "neg")
    assert (found.label, [token.text for token in found.tokens]) == ("neg", ["not", "bad"])


def test_an_evaluation_has_the_figures_of_the_command(model: LoadedModel, config) -> None:
    own = config("evaluation.positive=neg", reviews=200)
    expected = evaluate(model.trained, load_reviews(own), own, "f1")
    words = ["data=files", f"data.path={own.data.path}", "evaluation.positive=neg", *JUDGED]
    found = model.evaluate(*words, threshold_for="f1")
    assert found.recorded_metrics() == expected.recorded_metrics()
    assert found.metrics == expected.metrics


def test_every_row_of_a_table_in_hand_is_judged(model: LoadedModel) -> None:
    found = model.evaluate(*JUDGED, reviews=TABLE)
    answers = model.predict(list(TABLE["text"])).argmax(1)
    right = sum(model.labels[answer] == label for answer, label in zip(answers.tolist(), TABLE["label"], strict=True))
    assert found.metrics["test/accuracy"].value == right / 4
    assert found.source == "a table"
    assert "no temperature and no threshold: the data have no validation reviews to choose them by" in found.notes


def test_reviews_of_a_source_are_judged_by_their_test_split(model: LoadedModel) -> None:
    reviews = load_demo(size=100, test_fraction=0.2, valid_fraction=0.1, limit=None, seed=1, unlabelled=10)
    named = dataclasses.replace(reviews, labels=model.labels)
    found = model.evaluate(*JUDGED, reviews=named)
    assert {split: len(judged.lengths) for split, judged in found.judged.items()} == {"valid": 8, "test": 20}
    assert found.calibration is not None


def test_a_table_of_reviews_it_was_trained_on_is_told(model: LoadedModel, config) -> None:
    path = config(reviews=100).data.path
    data = {"_target_": "sentexp.data.files.load", "path": str(path)}
    own = dataclasses.replace(model.trained, config={**model.trained.config, "data": data})
    found = LoadedModel(own, model.run).evaluate(*JUDGED, reviews=pd.read_csv(path)[["text", "label"]])
    assert any("of the 100 test reviews are among those it was trained on" in note for note in found.notes)


@pytest.mark.parametrize(
    ("words", "table", "said"),
    [
        ([], TABLE.rename(columns={"label": "stars"}), "the table has no column label; expected text and label"),
        ([], TABLE.assign(label=["pos", "neg", "fair", "neg"]), "row 2: label fair; the model has neg, pos"),
        ([], TABLE.assign(text=["a", 3, "b", "c"]), "row 1: 3 is not a text"),
        ([], TABLE[:0], "the table has no rows"),
        (["data=demo"], TABLE, "data=demo: expected no keys of data beside reviews="),
        (["model.hidden_size=3"], TABLE, "model.hidden_size=3: the model stays as it was trained"),
        ([], None, "data: the run has recorded none"),
    ],
)
def test_what_cannot_be_judged_is_one_line(model: LoadedModel, words, table, said: str) -> None:
    with pytest.raises(SentexpError, match=said) as refused:
        model.evaluate(*words, reviews=table)
    assert "\n" not in str(refused.value)


def test_an_unknown_metric_for_the_threshold_is_refused(model: LoadedModel) -> None:
    with pytest.raises(SentexpError, match=r"^threshold_for=auc: expected one of accuracy, "):
        model.evaluate(reviews=TABLE, threshold_for="auc")


def test_all_of_them_show_themselves_in_one_line_and_in_a_notebook(model: LoadedModel) -> None:
    evil = LoadedModel(
        dataclasses.replace(model.trained, labels=["<b>neg", "<script>pos\x1b"]), FoundRun(Path("<i>"), "<i>a\nrun")
    )
    table = TABLE.assign(label=[evil.labels[label == "pos"] for label in TABLE["label"]])
    evaluation = evil.evaluate(*JUDGED, reviews=table)
    explanation = evil.explain("<img src=x> good \x1b film " * 9)
    for shown in (evil, evaluation, explanation):
        assert "\n" not in repr(shown)
        assert "\x1b" not in repr(shown)
        assert len(repr(shown)) < 300
        html = shown._repr_html_()
        assert not any(tag in html for tag in ("<script", "<i>", "<img", "<b>neg"))
    assert repr(evil).startswith("LoadedModel(<i>a run, model RecurrentClassifier, parameters ")
    assert repr(evaluation).startswith("Evaluation(4 test reviews of a table: loss ")
    assert "<td>accuracy</td>" in evaluation._repr_html_()
    assert "background: #" in explanation._repr_html_()


def test_the_api_is_this_one() -> None:
    assert sentexp.load is load
