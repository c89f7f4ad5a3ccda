from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_up_model import BAG_OF_WORDS, WHITESPACE, trained
from mlflow import MlflowClient

from sentexp import statistics
from sentexp.books import Books, Texts
from sentexp.config import plain
from sentexp.errors import SentexpError
from sentexp.trained_model import TrainedModel
from sentexp.use import ensembling
from sentexp.use.ensembling import EnsembleResult, ensemble
from sentexp.use.evaluating import evaluate
from sentexp.use.judging import judge, load_reviews
from sentexp.use.loaded import load

JUDGED = ("trainer.device=cpu", "trainer.precision=fp32")


@pytest.fixture
def saved(config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Saves a model that is said to be trained on 400 reviews; further overrides change these."""
    monkeypatch.chdir(tmp_path)

    def save(name: str, model: TrainedModel, *overrides: str) -> Path:
        own = config("data.valid_fraction=0.2", *overrides, reviews=400)
        model.config.update(data=plain(own.data))
        model.save(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def pair(saved: Callable[..., Path]) -> list[Path]:
    return [saved("a", trained()), saved("b", trained(BAG_OF_WORDS, tokenizer=WHITESPACE))]


def made(*runs: Path, **options: Any) -> EnsembleResult:
    return ensemble(*runs, overrides=JUDGED, **{"record": False, **options})


def test_the_weights_found_are_the_best_on_validation_and_the_test_is_judged_by_them(pair) -> None:
    result = made(*pair)
    weights = result.ensemble.weights
    models = [load(folder).trained for folder in pair]
    own = ensembling.find_candidates([str(pair[0])], JUDGED, None, trust=False)[0].config
    judged = [judge(model, load_reviews(own), own) for model in models]

    def loss(split: str, first: float) -> float:
        parts = [one[split].predictions for one in judged]
        mixed = first * parts[0].probabilities + (1 - first) * parts[1].probabilities
        return statistics.cross_entropy(mixed.double().numpy(), parts[0].labels.numpy())

    tried = np.linspace(0, 1, 101)
    assert loss("valid", weights[0]) <= min(loss("valid", first) for first in tried) + 1e-7
    assert sum(weights) == pytest.approx(1)
    assert result.metrics["valid/loss"] == pytest.approx(loss("valid", weights[0]), abs=1e-6)
    assert result.metrics["test/loss"] == pytest.approx(loss("test", weights[0]), abs=1e-6)
    assert result.metrics["best/valid_accuracy"] == result.metrics["valid/accuracy"]


def test_the_test_reviews_are_predicted_once_by_each_and_only_when_the_weights_are_known(pair, monkeypatch) -> None:
    order: list[Any] = []
    original, fitted = ensembling.judge, ensembling._fitted

    def recorded_judge(model, reviews, config):
        order.extend(reviews.splits)
        return original(model, reviews, config)

    monkeypatch.setattr(ensembling, "judge", recorded_judge)
    monkeypatch.setattr(ensembling, "_fitted", lambda members: order.append("weights") or fitted(members))
    made(*pair)
    assert order == ["valid", "valid", "weights", "test", "test"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("equal", [0.5, 0.5]),
        ("0.7,0.3", [0.7, 0.3]),
        ("1, 0", [1, 0]),
        ([3, 1], [0.75, 0.25]),
        ((0.2, 0.2), [0.5, 0.5]),
    ],
)
def test_weights_can_be_given(pair, asked, expected: list[float]) -> None:
    result = made(*pair, weights=asked)
    assert result.ensemble.weights == pytest.approx(expected)
    models = [load(folder) for folder in pair]
    texts = ["a good film", "not bad"]
    mean = sum(weight * model.predict(texts) for weight, model in zip(expected, models, strict=True))
    torch.testing.assert_close(load(result.model_folder).predict(texts), mean)


@pytest.mark.parametrize(
    "asked", ["best", "0.7", "0.7,0.2,0.1", "0.7,-0.3", "nan,1", "inf,1", "0,0", "", [0.5], ["x", "y"], [None, 1]]
)
def test_weights_that_do_not_fit_are_refused_before_anything_is_loaded(asked) -> None:
    with pytest.raises(SentexpError) as refused:
        made(Path("nowhere"), Path("neither"), weights=asked)
    assert str(refused.value).startswith(f"weights {asked}: expected valid, equal or 2 numbers")
    assert str(refused.value).endswith("such as 0.7,0.3")


def test_what_was_made_is_evaluated_again_to_the_same_figures(pair) -> None:
    result = made(*pair)
    model = load(result.model_folder)
    again = model.evaluate(*JUDGED)
    assert again.recorded_metrics() == pytest.approx(result.evaluation.recorded_metrics(), abs=1e-6)
    assert {split: len(one.lengths) for split, one in again.judged.items()} == {"valid": 64, "test": 80}
    table = pd.DataFrame({"text": ["a good film", "bad"], "label": ["pos", "neg"]})
    assert "test/accuracy" in model.evaluate(*JUDGED, reviews=table).metrics


def test_the_figures_of_each_member_stand_beside_those_of_the_mean(pair) -> None:
    result = made(*pair, weights="0.9,0.1")
    assert result.table["member"].tolist() == [*map(str, pair), "ensemble"]
    assert result.table["weight"].tolist() == pytest.approx([0.9, 0.1, 1.0])
    own = ensembling.find_candidates([str(pair[1])], JUDGED, None, trust=False)[0]
    alone = evaluate(own.model, load_reviews(own.config), own.config).metrics
    assert result.table["test accuracy"][1] == alone["test/accuracy"].value
    assert result.table["test loss"][1] == pytest.approx(alone["test/loss"].value)
    assert result.table["test loss"][2] == pytest.approx(result.metrics["test/loss"])
    assert result.table["valid loss"][2] == pytest.approx(result.metrics["valid/loss"])
    assert pd.read_csv(result.report / "members.csv")["valid loss"].tolist() == pytest.approx(
        result.table["valid loss"].tolist(), rel=1e-5
    )
    page = (result.report / "evaluation.html").read_text(encoding="utf-8")
    assert "Members" in page
    assert str(pair[1]) in page
    assert "EnsembleResult(0.9000" in repr(result)
    assert "valid accuracy" in result._repr_html_()


def test_it_is_a_run_with_its_model_its_members_and_the_metrics_of_training(pair, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    result = made(*pair, record=True, tracking_uri=uri, experiment="films")
    assert result.location is not None
    run = MlflowClient(uri).get_run(result.location.run_id)
    assert (run.info.status, result.location.experiment) == ("FINISHED", "films")
    assert run.data.metrics == pytest.approx(result.metrics)
    assert {"valid/loss", "valid/accuracy", "best/valid_accuracy", "test/accuracy", "test/loss"} <= set(
        run.data.metrics
    )
    assert [run.data.tags[f"member.{place}"] for place in (1, 2)] == [*map(str, pair)]
    assert run.data.params["ensemble.weights"] == "valid"
    assert float(run.data.params["ensemble.members.2.weight"]) == pytest.approx(result.ensemble.weights[1])
    assert run.data.params["data.valid_fraction"] == "0.2"
    assert run.data.tags["mlflow.note.content"].startswith("**test accuracy ")
    assert {one.tags[0].value for one in run.inputs.dataset_inputs} == {"validation", "test"}
    reports = {file.path for file in MlflowClient(uri).list_artifacts(run.info.run_id, "reports")}
    assert {"reports/evaluation.html", "reports/members.csv", "reports/predictions.csv"} <= reports

    for name in (result.location.run_id[:8], "latest", "best"):
        found = load(name, tracking_uri=uri)
        assert torch.equal(found.predict(["a good film"]), load(result.model_folder).predict(["a good film"]))
    with pytest.raises(SentexpError, match=r": an ensemble of 2 models; expected one model, such as its member "):
        made(pair[0], Path("latest"), tracking_uri=uri)


def test_with_a_transductive_member_it_is_transductive(config, saved, pair, tmp_path: Path) -> None:
    reviews = load_reviews(config("data.valid_fraction=0.2", reviews=400))
    seen = Texts("f" * 32, "unlabelled", "elsewhere", Texts.of(reviews, "test").hashes)
    chosen = Books().seen_by("selection", Texts.of(reviews, "valid"))
    transductive = saved("c", trained(books=chosen.seen_by("vectors", seen)))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    result = made(pair[0], transductive, weights="1,0", record=True, tracking_uri=uri)
    assert result.evaluation.transductive
    assert any(note.startswith("transductive: 80 of the 80") for note in result.evaluation.notes)
    tags = MlflowClient(uri).get_run(result.location.run_id).data.tags
    assert (tags["transductive"], tags["test_seen"]) == ("true", "80")
    assert "transductive: 80 of the 80" in tags["mlflow.note.content"]
    assert "f" * 32 in tags["seen"]
    assert not made(*pair).evaluation.transductive


def test_runs_without_validation_reviews_take_weights_that_are_given(saved) -> None:
    runs = [
        saved(name, trained(kind), "data.valid_fraction=0") for name, kind in (("a", BAG_OF_WORDS), ("b", BAG_OF_WORDS))
    ]
    with pytest.raises(
        SentexpError, match=r"^weights valid: .*a has no validation reviews; expected equal, or a number"
    ):
        made(*runs)
    result = made(*runs, weights="equal")
    assert "valid/loss" not in result.metrics
    assert np.isnan(result.table["valid loss"]).all()
    assert result.rows()[0][2] == ""


def test_several_labels_are_averaged_as_well(saved, config, tmp_path: Path) -> None:
    labels = ("x", "y", "z")
    own = config("data.valid_fraction=0.2", labels=labels, reviews=90)
    folders = []
    for name, kind in (("a", trained(labels=labels)), ("b", trained(BAG_OF_WORDS, labels=labels))):
        kind.config.update(data=plain(own.data))
        kind.save(tmp_path / name)
        folders.append(tmp_path / name)
    result = made(*folders)
    assert result.metrics["valid/loss"] <= result.table["valid loss"].min() + 1e-6
    assert load(result.model_folder).predict(["a"]).shape == (1, 3)
