from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from made_up_model import BOOKS, ensemble, trained

from sentexp.books import Books, Texts
from sentexp.errors import SentexpError
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.trained_ensemble import Ensemble, Member, is_predictor, load_predictor, single
from sentexp.trained_model import TrainedModel
from sentexp.use.explaining import explain
from sentexp.use.exporting import export
from sentexp.use.loaded import load
from sentexp.use.predicting import predictions

TEXTS = ["A good film, and not a bad one!", "bad", "", "good " * 50, "unheard <br /> words"]


def mean(model: Ensemble, texts: list[str]) -> torch.Tensor:
    return sum(one.weight * one.model.predict(texts) for one in model.members)  # type: ignore[return-value]


def test_its_probabilities_are_the_weighted_mean_of_its_members() -> None:
    model = ensemble(0.5, 0.3, 0.2)
    found = model.predict(TEXTS)
    torch.testing.assert_close(found, mean(model, TEXTS))
    torch.testing.assert_close(found.sum(1), torch.ones(len(TEXTS)))
    assert not any(torch.allclose(found, one.model.predict(TEXTS), atol=1e-3) for one in model.members)
    assert model.predict([]).shape == (0, 2)


def test_a_weight_of_one_leaves_the_probabilities_of_that_member() -> None:
    model = ensemble(0.0, 1.0)
    assert torch.equal(model.predict(TEXTS), model.members[1].model.predict(TEXTS))


@pytest.mark.parametrize("processes", [0, 1])
def test_chunks_are_predicted_as_one_list_is_and_a_word_that_one_member_knows_counts(processes: int) -> None:
    model = ensemble(0.6, 0.4)
    found = [one for chunk in predictions(model, [TEXTS[:2], TEXTS[2:]], processes) for one in chunk]
    expected = model.predict(TEXTS)
    torch.testing.assert_close(torch.tensor([list(one.probabilities.values()) for one in found]), expected)
    of_members = [next(one.model.predict_chunks([TEXTS])).known_words for one in model.members]
    assert (of_members[0] != of_members[1]).any()
    assert [one.known_words for one in found] == torch.stack(of_members).amax(0).tolist()


def test_a_saved_one_loads_as_it_was(tmp_path: Path) -> None:
    model = ensemble(0.7, 0.3, books=BOOKS)
    members = [dataclasses.replace(model.members[0], run_id="3f2a" * 8), model.members[1]]
    model = Ensemble(members, "valid", {"data": {"_target_": "x", "path": "mysql://a:secret@b"}})
    model.save(tmp_path)
    found = load_predictor(tmp_path)
    assert isinstance(found, Ensemble)
    assert torch.equal(found.predict(TEXTS), model.predict(TEXTS))
    assert [(one.weight, one.name, one.run_id) for one in found.members] == [
        (0.7, "run 0", "3f2a" * 8), (0.3, "run 1", None),
    ]  # fmt: skip
    assert (found.labels, found.weighting, found.trusted) == (["neg", "pos"], "valid", False)
    assert found.sections == {"data": {"_target_": "x", "path": "mysql://a:***@b"}}
    assert found.books is not None
    assert found.books.tag() == BOOKS.tag()
    assert isinstance(load_predictor(tmp_path / "members" / "1"), TrainedModel)
    assert load_predictor(tmp_path, trust=True).trusted


def test_saving_again_leaves_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    ensemble(0.2, 0.3, 0.5).save(tmp_path)
    ensemble(0.5, 0.5).save(tmp_path)
    assert sorted(path.name for path in (tmp_path / "members").iterdir()) == ["1", "2"]
    assert load_predictor(tmp_path).config["ensemble"]["members"]["2"] == {
        "weight": 0.5, "name": "run 1", "run": None,
    }  # fmt: skip


def test_it_has_seen_what_any_of_its_members_has_seen() -> None:
    test = Texts("1" * 32, "test", "here", np.arange(10, dtype=np.uint64))
    seen = Books().seen_by("vectors", dataclasses.replace(test, digest="2" * 32, split="unlabelled"))
    inductive, transductive = (trained(books=one) for one in (BOOKS, seen))
    found = Ensemble([Member(inductive, 0.9, "a"), Member(transductive, 0.1, "b")], "equal", {}).books
    assert found is not None
    assert found.overlap(test).transductive
    assert not BOOKS.overlap(test).transductive
    assert ensemble(0.5, 0.5).books is None


def test_what_needs_one_model_is_refused_in_one_line_that_names_a_member(tmp_path: Path) -> None:
    model = ensemble(0.4, 0.6)
    with pytest.raises(
        SentexpError, match=r"^explain: an ensemble of 2 .* expected one model, such as its member run 1$"
    ):
        explain(model, "good")
    with pytest.raises(SentexpError, match=r"^export: .* such as its member run 1$"):
        export(model, "torch", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert single(trained(), "explain").labels == ["neg", "pos"]


def test_it_is_found_in_its_folder_and_shows_itself(tmp_path: Path) -> None:
    ensemble(0.5, 0.5).save(tmp_path / "run" / "model")
    found = load(tmp_path / "run")
    assert found.labels == ["neg", "pos"]
    assert "ensemble 0.5000 run 0 + 0.5000 run 1" in repr(found)
    assert not is_predictor(tmp_path)


def edit(file: Path, change: Callable[[Any], object]) -> None:
    config = yaml.safe_load(file.read_text())
    change(config["ensemble"])
    file.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.update(members=[]), "ensemble.members: expected two members or more"),
        (lambda it: it["members"].pop("2"), "ensemble.members: expected two members or more"),
        (lambda it: it["members"].update({"4": it["members"].pop("1")}), "ensemble.members.1: expected weight, name"),
        (lambda it: it["members"]["1"].update(weight="x"), "ensemble.members.1.weight=x: expected a number from 0"),
        (lambda it: it["members"]["1"].update(weight=-0.5), "ensemble.members.1.weight=-0.5: expected a number from 0"),
        (lambda it: it["members"]["1"].update(weight=float("nan")), "weight=nan: expected a number from 0 to 1"),
        (lambda it: it["members"]["1"].update(weight=0.9), "their weights sum to 1.400000; expected 1"),
        (lambda it: it["members"]["1"].update(name=3), "ensemble.members.1: expected its name"),
        (lambda it: it["members"].update({"3": {"weight": 0.0, "name": "c"}}), "members/3: not a trained model"),
    ],
)
def test_a_damaged_description_is_one_line_with_the_file(
    tmp_path: Path, change: Callable[[Any], object], said: str
) -> None:
    ensemble(0.5, 0.5).save(tmp_path)
    (tmp_path / "model.json").unlink()
    edit(tmp_path / "config.yaml", change)
    with pytest.raises(SentexpError) as refused:
        load_predictor(tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", ["config.yaml", "labels.txt", "members/1/model.json", "members/2/weights.pt"])
def test_no_file_can_be_altered_unnoticed(tmp_path: Path, file: str) -> None:
    ensemble(0.5, 0.5).save(tmp_path)
    content = bytearray((tmp_path / file).read_bytes())
    content[-2] ^= 1
    (tmp_path / file).write_bytes(content)
    with pytest.raises(SentexpError, match=rf"{file}: altered or damaged since the model was saved"):
        load_predictor(tmp_path)


def test_members_with_other_labels_are_refused(tmp_path: Path) -> None:
    ensemble(0.5, 0.5).save(tmp_path)
    trained(labels=("x", "y")).save(tmp_path / "members" / "2")
    (tmp_path / "model.json").unlink()
    with pytest.raises(SentexpError, match=r"members/2/labels\.txt: other labels than .*labels\.txt has"):
        load_predictor(tmp_path)


def test_a_member_from_elsewhere_runs_no_code_of_its_choice(tmp_path: Path) -> None:
    model = trained()
    model.config["model"] = {"_target_": "os.system", "command": f"touch {tmp_path}/RAN"}
    Ensemble([Member(trained(), 0.5, "a"), Member(model, 0.5, "b")], "equal", {}).save(tmp_path / "model")
    with pytest.raises(SentexpError, match=r"members/2/config\.yaml: model\._target_=os\.system: code outside of"):
        load_predictor(tmp_path / "model")
    assert not (tmp_path / "RAN").exists()


def test_it_is_recorded_as_an_mlflow_model_with_the_code_of_its_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code_of_a_member.py").write_text("def split(text):\n    return text.lower().split()\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = {"_target_": "sentexp.text.tokenizers.CallableTokenizer", "path": "code_of_a_member.split"}
    model = Ensemble([Member(trained(), 0.3, "a"), Member(trained(tokenizer=own), 0.7, "b")], "equal", {})
    model.save(tmp_path / "model")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with MlflowTracker(uri).run() as run:
        model_uri = run.log_model(tmp_path / "model")
    mlflow.set_tracking_uri(uri)
    try:
        folder = Path(mlflow.artifacts.download_artifacts(str(model_uri)))
        loaded = mlflow.pyfunc.load_model(str(model_uri))
    finally:
        mlflow.set_tracking_uri(None)
    assert (folder / "code" / "code_of_a_member.py").is_file()
    found = loaded.predict(pd.DataFrame({"text": TEXTS}))
    torch.testing.assert_close(torch.tensor(found["probability_pos"].to_numpy()), model.predict(TEXTS)[:, 1])
