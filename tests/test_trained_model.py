from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_model import BAG_OF_WORDS, BOOKS, RECURRENT, trained

from sentexp.errors import SentexpError
from sentexp.instantiate import build
from sentexp.model_folder import read_labels
from sentexp.text.vocabulary import Vocabulary
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.trained_model import TrainedModel

TEXTS = ["A good film, and not a bad one!", "bad", "", "good " * 50, "unheard <br /> words"]


@pytest.mark.parametrize(
    "model",
    [
        trained(),
        trained(BAG_OF_WORDS, labels=("1", "2", "3")),
        trained(one_hot=True),
        trained(fix_length=8, labels=("à \u2028 b", "two\nlines", "back\\nslash", "", "$x\r")),
    ],
    ids=["lstm", "bag of words", "one-hot", "fixed length"],
)
def test_a_loaded_model_predicts_what_the_saved_one_did(model: TrainedModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    loaded = TrainedModel.load(tmp_path / "model")
    assert loaded.labels == model.labels
    assert torch.equal(loaded.predict(TEXTS), model.predict(TEXTS))
    assert loaded.predict(TEXTS).shape == (len(TEXTS), len(model.labels))
    torch.testing.assert_close(loaded.predict(TEXTS).sum(1), torch.ones(len(TEXTS)))


def test_readable_files_are_saved_and_no_password(tmp_path: Path) -> None:
    trained().save(tmp_path)
    files = ["config.yaml", "labels.txt", "model.json", "vocab.txt", "weights.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert (tmp_path / "labels.txt").read_text() == "neg\npos\n"
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["tracking"] == {"uri": "mysql://a:***@b/runs"}


def test_its_books_go_with_it_and_nothing_of_an_earlier_models(tmp_path: Path) -> None:
    trained(books=BOOKS).save(tmp_path)
    books = TrainedModel.load(tmp_path).books
    assert books is not None
    assert books.tag() == BOOKS.tag()
    trained().save(tmp_path)
    assert TrainedModel.load(tmp_path).books is None


def test_labels_that_an_earlier_version_wrote_load(tmp_path: Path) -> None:
    """Its files were the same, byte for byte."""
    (tmp_path / "labels.txt").write_bytes("à \u2028 b\ntwo\\nlines\nback\\\\nslash\n\n$x\\r\n".encode())
    labels = ["à \u2028 b", "two\nlines", "back\\nslash", "", "$x\r"]
    assert read_labels(tmp_path / "labels.txt") == labels
    trained(labels=tuple(labels)).save(tmp_path / "again")
    assert (tmp_path / "again" / "labels.txt").read_bytes() == (tmp_path / "labels.txt").read_bytes()


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        trained().save(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()


def test_a_model_of_an_older_version_loads_without_the_keys_that_came_later(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    for key in ("clean", "head_fraction", "fix_length"):
        del config["text"][key]
    del config["vocab"]["min_freq"], config["model"]["ignore_padding"], config["seed"]
    config["section_that_has_gone_since"] = {"key": 1}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "model.json").unlink()
    assert torch.equal(TrainedModel.load(tmp_path).predict(TEXTS), model.predict(TEXTS))


class Doubled(torch.nn.Module):
    """An embedding of the user's own, with other weights than a table alone."""

    def __init__(self, vocabulary: Vocabulary, dim: int) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(len(vocabulary), dim)
        self.embedding_dim = 2 * dim

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table(ids).repeat(1, 1, 2)


def test_an_embedding_of_the_users_own_loads(tmp_path: Path) -> None:
    model = trained()
    vocabulary = model.pipeline.vocabulary
    node = {"_target_": f"{__name__}.Doubled", "dim": 3}
    embedding = build(node, vocabulary=vocabulary)
    network = build(RECURRENT, embedding=embedding, num_classes=2, unk_index=vocabulary.unk_index)
    own = TrainedModel(model.pipeline, network, model.labels, {**model.config, "embedding": node})
    own.save(tmp_path)
    with pytest.raises(SentexpError, match=r"embedding\._target_=.*Doubled: code outside of sentexp.*trust=True"):
        TrainedModel.load(tmp_path)
    assert torch.equal(TrainedModel.load(tmp_path, trust=True).predict(TEXTS), own.predict(TEXTS))


def test_saving_again_takes_the_place_of_the_earlier_model(tmp_path: Path) -> None:
    trained().save(tmp_path)
    other = trained(BAG_OF_WORDS, labels=("x", "y", "z"))
    other.save(tmp_path)
    assert torch.equal(TrainedModel.load(tmp_path).predict(TEXTS), other.predict(TEXTS))


def test_a_review_is_judged_alone_as_among_others() -> None:
    model = trained()
    together = model.predict(TEXTS * 30)
    alone = torch.cat([model.predict([text]) for text in TEXTS])
    torch.testing.assert_close(together[: len(TEXTS)], alone)


def test_no_text_has_no_prediction_and_a_bare_text_is_no_list_of_texts() -> None:
    assert trained().predict([]).shape == (0, 2)
    with pytest.raises(TypeError, match="a list of texts"):
        trained().predict("good")


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NA])
def test_a_missing_text_is_an_empty_one(missing: Any) -> None:
    assert torch.equal(trained().predict(["good", missing]), trained().predict(["good", ""]))


@pytest.mark.parametrize("value", [3, 0.5, True, b"good", ["good"], b"x" * 5000])
def test_what_is_no_text_is_refused_in_one_line_with_its_row(value: Any) -> None:
    with pytest.raises(SentexpError, match=r"^row 1: .* is not a text; expected texts, with null") as refusal:
        trained().predict(["good", value])
    assert len(str(refusal.value)) < 1000


def _cut_short(folder: Path) -> None:
    weights = (folder / "weights.pt").read_bytes()
    (folder / "weights.pt").write_bytes(weights[: len(weights) // 2])


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "weights.pt").unlink(), r"expected weights\.pt in it"),
        (lambda folder: (folder / "config.yaml").unlink(), r"expected config\.yaml in it"),
        (_cut_short, r"weights\.pt: damaged"),
        (lambda folder: (folder / "weights.pt").write_bytes(b""), r"weights\.pt: damaged"),
        (lambda folder: (folder / "weights.pt").write_bytes(b"not a file of torch's"), r"weights\.pt: damaged"),
        (lambda folder: torch.save([1], folder / "weights.pt"), r"weights\.pt: holds no state_dict"),
        (lambda folder: torch.save({"a": torch.zeros(1)}, folder / "weights.pt"), r"weights\.pt: does not fit"),
        (lambda folder: torch.save({1: torch.zeros(1)}, folder / "weights.pt"), r"weights\.pt: holds no state_dict"),
        (
            lambda folder: torch.save({"embedding.weight": torch.zeros(9)}, folder / "weights.pt"),
            r"weights\.pt: embedding\.weight is torch\.float32 \[9\]; expected \[V, E\]",
        ),
        (
            lambda folder: torch.save({"embedding.weight": torch.zeros(1).expand(9, 1 << 40)}, folder / "weights.pt"),
            r"weights\.pt: damaged \(a tensor of \[9, 1099511627776\]",
        ),
        (lambda folder: torch.save(trained, folder / "weights.pt"), r"weights\.pt: damaged"),  # would run code
        (lambda folder: (folder / "config.yaml").write_text("model: [1"), r"config\.yaml: damaged"),
        (lambda folder: (folder / "config.yaml").write_text("- 1"), r"config\.yaml: not a configuration"),
        (
            lambda folder: _edit(folder / "config.yaml", "init_token: null", "init_token: <sos>"),
            r"config\.yaml: does not fit vocab\.txt: <sos> is not",
        ),
        (
            lambda folder: _edit(folder / "config.yaml", "hidden_size: 6", "hidden_size: x"),
            r"config\.yaml: model\.hidden_size=x: expected a whole number",
        ),
        (
            lambda folder: _edit(folder / "config.yaml", "bidirectional: true", "bidirectional: [true]"),
            r"config\.yaml: model\.bidirectional=\[True\]: expected true or false",
        ),
        (lambda folder: (folder / "labels.txt").write_text("only\n"), r"labels\.txt: holds 1 label"),
        (lambda folder: (folder / "labels.txt").write_bytes(b"\xff\n\xfe\n"), r"labels\.txt: damaged"),
        (lambda folder: (folder / "labels.txt").write_text("neg\npos"), r"labels\.txt: damaged: .*cut short"),
        (lambda folder: (folder / "labels.txt").write_text("a\nb\nc\n"), r"weights\.pt: does not fit"),
        (lambda folder: (folder / "vocab.txt").write_text("<unk>\n<pad>\n"), r"vocab\.txt: holds 2 words; expected 9"),
    ],
)
def test_a_folder_that_is_damaged_is_refused_in_one_line_with_the_file(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    trained().save(tmp_path)
    damage(tmp_path)
    (tmp_path / "model.json").unlink()  # as in models of earlier versions; with it, all of them are altered files
    with pytest.raises(SentexpError, match=message) as refusal:
        TrainedModel.load(tmp_path)
    assert str(refusal.value).startswith(str(tmp_path))
    assert "\n" not in str(refusal.value)


@given(
    name=st.sampled_from(["config.yaml", "labels.txt", "vocab.txt", "weights.pt", "seen.json", "seen.hashes"]),
    place=st.floats(0, 1),
    bit=st.integers(0, 7),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bit_of_a_file_can_flip_unnoticed(tmp_path: Path, name: str, place: float, bit: int) -> None:
    trained(books=BOOKS).save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 1 << bit
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SentexpError, match=rf"{name}: altered or damaged since the model was saved"):
        TrainedModel.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"format": 2, "sentexp": "9.0", "sha256": {}}',
            r"format 2, of sentexp 9\.0; this is version .* knows format 1",
        ),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": 1, "sha256": {"absent.bin": "0"}}', "absent.bin: altered or damaged"),
    ],
)
def test_a_model_of_a_newer_version_says_so(tmp_path: Path, content: str, message: str) -> None:
    trained().save(tmp_path)
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(SentexpError, match=message):
        TrainedModel.load(tmp_path)


@pytest.mark.parametrize(
    ("group", "node"),
    [
        ("model", {"_target_": "os.system", "command": "touch RAN"}),
        ("model", {**RECURRENT, "pooling": {"_target_": "pathlib.Path.touch", "self": "RAN"}}),
        ("model", {**RECURRENT, "_args_": [{"_target_": "shutil.copy", "src": "a", "dst": "RAN"}]}),
        ("tokenizer", {"_target_": "sentexp.text.tokenizers.CallableTokenizer", "path": "os.system"}),
        ("tokenizer", {"_target_": "sentexp.text.tokenizers.SpacyTokenizer", "language": [{"_target_": "os.abort"}]}),
        ("embedding", {"_target_": "pandas.read_pickle", "filepath_or_buffer": "a.pkl"}),
        ("text", {**trained().config["text"], "clean": {"html": {"_target_": "os.abort"}}}),
        ("vocab", {"max_size": {"_target_": "os.abort"}}),
        ("model", {"_target_": "sentexp.runner.run", "config": {}}),
    ],
)
def test_a_folder_from_elsewhere_runs_no_code_of_its_choice(tmp_path: Path, monkeypatch, group: str, node: Any) -> None:
    monkeypatch.chdir(tmp_path)
    model = trained()
    TrainedModel(model.pipeline, model.model, model.labels, {**model.config, group: node}).save(tmp_path / "model")
    with pytest.raises(SentexpError, match=rf"config\.yaml: {group}\.\S+=.*: code outside of sentexp"):
        TrainedModel.load(tmp_path / "model")
    assert not (tmp_path / "RAN").exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match="not a trained model"):
        TrainedModel.load(tmp_path / "nowhere")


LOAD = """
import sys
import mlflow
import numpy as np
import pandas as pd
import pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
for uri in sys.argv[2:]:
    model = mlflow.pyfunc.load_model(uri)
    print(model.predict(pd.DataFrame({"text": ["A good film, and not a bad one!", "bad"]})).to_json(orient="records"))
import sentexp
print(sentexp.__file__)
"""


@pytest.mark.slow
def test_a_logged_model_loads_in_a_fresh_process_elsewhere_with_pickle_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "words_of_mine.py").write_text("def split(text):\n    return text.lower().split()\n")
    monkeypatch.syspath_prepend(tmp_path)
    model = trained(tokenizer={"_target_": "sentexp.text.tokenizers.CallableTokenizer", "path": "words_of_mine.split"})
    model.save(tmp_path / "model")
    before = (mlflow.get_tracking_uri(), mlflow.active_run())
    with MlflowTracker(uri).run() as run:
        run.log_params({"seed": 0})
        model_uri = run.log_model(tmp_path / "model")
    assert (mlflow.get_tracking_uri(), mlflow.active_run()) == before

    (tmp_path / "elsewhere").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, model_uri, f"runs:/{run.run_id}/model"],
        cwd=tmp_path / "elsewhere", env={**environment, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *tables, imported_from = done.stdout.splitlines()
    assert tables[0] == tables[1]
    rows = yaml.safe_load(tables[0])
    expected = model.predict(TEXTS[:2])
    found = torch.tensor([[row["probability_neg"], row["probability_pos"]] for row in rows])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert [row["label"] for row in rows] == [model.labels[answer] for answer in expected.argmax(1)]
    assert "code" in Path(imported_from).parts  # the copy that went with the model

    client = mlflow.MlflowClient(uri)
    logged = client.get_logged_model(str(model_uri).removeprefix("models:/"))
    assert (logged.status.value, logged.source_run_id, logged.params) == ("READY", run.run_id, {"seed": "0"})
    files = Path(mlflow.artifacts.download_artifacts(logged.artifact_location))
    requirements = (files / "requirements.txt").read_text().split()
    assert f"torch=={torch.__version__.partition('+')[0]}" in requirements
    assert not list(files.rglob("*.pkl"))


def test_weights_on_a_full_disk_are_refused_by_the_system_and_not_by_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.FileIO):
        """A file for which there is room until torch has begun with it."""

        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TrainedModel, "save_texts", lambda *_: None)
    monkeypatch.setattr(Path, "open", lambda path, mode: Full(path, mode))
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match=r"No space left on device: '.*/model/weights\.pt'"):
        trained().save(tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []
