from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import torch

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
