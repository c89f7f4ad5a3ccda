from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException

from sentexp.config import compose, plain
from sentexp.instantiate import build, build_pipeline
from sentexp.text.vocabulary import Vocabulary
from sentexp.tracking.logged_model import REQUIREMENTS, requirements, signature, user_code
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.trained_model import TrainedModel

PARTS = """
import torch

class Mean(torch.nn.Module):
    def __init__(self, embedding, num_classes, inner=None):
        super().__init__()
        self.embedding = embedding
        self.inner = inner or torch.nn.Identity()
        self.head = torch.nn.Linear(embedding.embedding_dim, num_classes)

    def forward(self, ids, lengths):
        own = torch.arange(ids.shape[1]) < lengths[:, None]  # [B, T]
        vectors = self.inner(self.embedding(ids)) * own[:, :, None]  # [B, T, E]
        return self.head(vectors.sum(1))  # [B, C]

def table(vocabulary, dim):
    return torch.nn.Embedding(len(vocabulary), dim)

def split(text):
    return text.lower().split()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own modules, from which Python imports."""
    for name in ("in_a_file.py", "in_a_package/__init__.py", "in_a_folder/parts.py"):
        file = tmp_path / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path / "own")
    return tmp_path / "own"


OURS = {"_target_": "sentexp.text.tokenizers.BasicTokenizer"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model": {"_target_": "in_a_file.Mean"}}, ["in_a_file.py"]),
        ({"model": {"_target_": "in_a_package.Mean"}}, ["in_a_package"]),
        ({"model": {"_target_": "in_a_folder.parts.Mean"}}, ["in_a_folder"]),
        ({"embedding": {"_target_": "in_a_file.table"}, "model": {"_target_": "in_a_file.Mean"}}, ["in_a_file.py"]),
        ({"model": {"_target_": "sentexp.x.Y", "layers": [{"_target_": "in_a_file.Mean"}]}}, ["in_a_file.py"]),
        ({"tokenizer": {**OURS, "path": "in_a_file.split"}}, ["in_a_file.py"]),
        ({"tokenizer": {**OURS, "path": "textwrap.wrap"}}, []),
        ({"model": {"_target_": "torch.nn.Linear"}, "embedding": {"path": "in_a_file.txt"}}, []),
        ({"model": {"_target_": "__main__.Mean"}}, []),
        ({"optimizer": {"_target_": "in_a_file.Rule"}}, []),  # loading a model needs no optimizer
    ],
)
def test_the_users_own_modules_that_loading_imports_go_with_the_model(
    folder: Path, config: dict[str, Any], expected: list[str]
) -> None:
    assert user_code({"tokenizer": OURS, **config}) == [folder / name for name in expected]


def test_requirements_are_versions_that_an_index_has() -> None:
    assert f"torch=={torch.__version__.partition('+')[0]}" in requirements()
    assert not [requirement for requirement in requirements() if "+" in requirement]


def test_the_signature_names_a_probability_per_label() -> None:
    found = signature(["neg", "pos"])
    assert found.inputs.input_names() == ["text"]
    assert found.outputs.input_names() == ["label", "probability_neg", "probability_pos"]


def saved(folder: Path, *overrides: str) -> TrainedModel:
    """Save a model of random weights. Its configuration is composed, so it has every section."""
    config = plain(compose("tracking=none", *overrides))
    vocabulary = Vocabulary(["<unk>", "<pad>", "a", "good", "bad", "film"])
    embedding = build(config["embedding"], vocabulary=vocabulary, seed=0)
    model = build(config["model"], embedding=embedding, num_classes=2, unk_index=vocabulary.unk_index)
    trained = TrainedModel(build_pipeline(config, vocabulary), model, ["neg", "pos"], config)
    trained.save(folder)
    return trained


IMPORTED = """
import builtins, json, sys
found, real = set(), builtins.__import__
def watched(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0 and str((globals or {}).get("__name__")).startswith("sentexp"):
        found.add(name.split(".")[0])
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = watched
from sentexp.trained_model import TrainedModel
for folder in sys.argv[1:]:
    TrainedModel.load(folder).predict(["a good film"])
print(json.dumps(sorted(found - sys.stdlib_module_names - {"sentexp"})))
"""


@pytest.mark.slow
def test_requirements_hold_what_loading_and_predicting_import(tmp_path: Path) -> None:
    saved(tmp_path / "lstm", "tokenizer=spacy_lemma", "embedding=random")
    saved(tmp_path / "bag", "tokenizer=basic", "model=bag_of_words", "text.clean.stop_words=true")
    arguments = [sys.executable, "-c", IMPORTED, str(tmp_path / "lstm"), str(tmp_path / "bag")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    distributions = packages_distributions()
    imported = {distributions[module][0] for module in json.loads(done.stdout)}
    assert "torch" in imported
    assert imported <= set(REQUIREMENTS)


@pytest.fixture(scope="module")
def model_uri(tmp_path_factory: pytest.TempPathFactory, store_uri: str) -> Iterator[str]:
    """A recorded model, as mlflow.pyfunc.load_model takes it."""
    folder = tmp_path_factory.mktemp("recorded")
    saved(folder, "tokenizer=basic")
    with MlflowTracker(store_uri).run() as run:
        found = str(run.log_model(folder))
    mlflow.set_tracking_uri(store_uri)
    yield found
    mlflow.set_tracking_uri(None)  # no address at all, so that other tests can give one in the environment


def test_predictions_have_the_index_of_their_rows(model_uri: str) -> None:
    model = mlflow.pyfunc.load_model(model_uri)
    frame = pd.DataFrame({"id": [1, 2, 3], "text": ["good", "bad film", "a"]}, index=[7, 3, 5])
    found = model.predict(frame)
    assert list(found.index) == [7, 3, 5]
    shuffled = frame.loc[[5, 7, 3]]
    pd.testing.assert_frame_equal(model.predict(shuffled), found.loc[[5, 7, 3]], atol=1e-6)


def test_a_run_whose_folder_has_any_name_records_its_model(tmp_path: Path, store_uri: str, model_uri: str) -> None:
    folder = tmp_path / "%41 x\"y'z?" / "model"
    trained = saved(folder, "tokenizer=basic")
    with MlflowTracker(store_uri).run() as run:
        model = mlflow.pyfunc.load_model(str(run.log_model(folder)))
    found = model.predict(pd.DataFrame({"text": ["a good film"]}))
    assert found["probability_pos"][0] == pytest.approx(float(trained.predict(["a good film"])[0, 1]), abs=1e-6)


@pytest.mark.parametrize(
    "column",
    [["good", None], ["good", float("nan")], pd.array(["good", pd.NA], dtype="string"), [None], [float("nan")]],
)
def test_a_missing_text_is_predicted_as_an_empty_one(model_uri: str, column: Any) -> None:
    model = mlflow.pyfunc.load_model(model_uri)
    missing = model.predict(pd.DataFrame({"text": column})).iloc[-1]
    assert missing.to_dict() == model.predict(pd.DataFrame({"text": [""]})).iloc[0].to_dict()


@pytest.mark.parametrize("texts", [["a good film", None, "bad"], ["bad"], []])
def test_texts_may_come_as_a_list_under_their_name_or_as_one_text(model_uri: str, texts: list[str | None]) -> None:
    model = mlflow.pyfunc.load_model(model_uri)
    expected = model.predict(pd.DataFrame({"text": pd.Series(texts, dtype=object)}))
    pd.testing.assert_frame_equal(model.predict({"text": texts}), expected, check_index_type=False)
    if len(texts) == 1:
        pd.testing.assert_frame_equal(model.predict({"text": texts[0]}), expected)


@pytest.mark.parametrize(("column", "shown"), [(["good", 3], "row 9: 3 "), ([0.5, 3.5], "row 4: 0.5 ")])
def test_what_is_no_text_is_refused_with_its_row(model_uri: str, column: Any, shown: str) -> None:
    model = mlflow.pyfunc.load_model(model_uri)
    with pytest.raises(MlflowException, match=f"^{shown}is not a text; expected texts[^\n]*$") as refused:
        model.predict(pd.DataFrame({"text": column}, index=[4, 9]))
    assert refused.value.get_http_status_code() == 400


@pytest.mark.slow
def test_mlflow_evaluates_a_recorded_model(model_uri: str) -> None:
    frame = pd.DataFrame({"text": ["good", "bad", None, "a film"], "label": ["pos", "neg", "neg", "pos"]}, [3, 2, 1, 0])
    answers = mlflow.pyfunc.load_model(model_uri).predict(frame[["text"]])["label"]
    found = mlflow.models.evaluate(
        model_uri, frame, targets="label", model_type="classifier", model_config={"probabilities": False}
    )
    assert found.metrics["accuracy_score"] == (answers == frame["label"]).mean()
    beside = mlflow.models.evaluate(
        data=frame.assign(answer=answers), targets="label", predictions="answer", model_type="classifier"
    )
    assert beside.metrics["accuracy_score"] == found.metrics["accuracy_score"]


LOAD = """
import sys, mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
table = mlflow.pyfunc.load_model(sys.argv[2]).predict(pd.DataFrame({"text": ["a good film", "bad"]}))
print(table["probability_pos"].tolist())
"""


@pytest.mark.slow
def test_a_model_whose_parts_are_all_the_users_own_loads_elsewhere(folder: Path, tmp_path: Path) -> None:
    parts = ["tokenizer=callable", "tokenizer.path=in_a_folder.parts.split"]
    for group, keys in {
        "embedding/own": "{_target_: in_a_file.table, dim: 4}",
        "model/own": "{_target_: in_a_package.Mean, inner: {_target_: torch.nn.Tanh}}",
    }.items():
        option = tmp_path / "conf" / f"{group}.yaml"
        option.parent.mkdir(parents=True)
        option.write_text(keys)
    trained = saved(tmp_path / "m", f"hydra.searchpath=[file://{tmp_path}/conf]", "embedding=own", "model=own", *parts)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with MlflowTracker(uri).run() as run:
        model_uri = run.log_model(tmp_path / "m")
    (tmp_path / "elsewhere").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, str(model_uri)],
        cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = trained.predict(["a good film", "bad"])[:, 1]
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout.splitlines()[-1])), expected, atol=1e-6, rtol=0)
