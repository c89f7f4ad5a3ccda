"""A language model as a whole run, and what other runs start with."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from sentexp import runner
from sentexp.config import compose
from sentexp.errors import SentexpError
from sentexp.runs import find_run
from sentexp.start import start_of
from sentexp.text.vocabulary import Vocabulary
from sentexp.tracking.logged_model import LANGUAGE_MODEL
from sentexp.trained_model import TrainedModel, read_folder

EOS = "text.eos_token='<eos>'"
SIZES = ["model.hidden_size=12", "embedding.dim=10", "model.bidirectional=true"]


class Place:
    """A store, a cache and the runs that tests share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.number = 0

    def config(self, *overrides: str) -> Any:
        machine = ["trainer.processes=1", "trainer.precision=fp32", "trainer.device=cpu", "evaluation.baseline=false"]
        cache = f"cache_dir='{self.folder / 'cache'}'"
        return compose("data.size=300", f"tracking.uri='{self.uri}'", *machine, cache, *SIZES, *overrides)

    def run(self, *overrides: str, **more: Any) -> runner.RunResult:
        self.number += 1
        result = runner.run(self.config(*overrides), output_dir=self.folder / f"run {self.number}", **more)
        assert result is not None
        return result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def language_model(place: Place) -> runner.RunResult:
    task = ["task=language_model", EOS, "task.streams=8", "task.segment=20", "task.cutoffs=[50,200]"]
    return place.run(*task, "trainer.epochs=2", "data.unlabelled=200", "tracking.run_name=lm")


def test_a_language_model_is_judged_by_the_perplexity_of_validation_texts_and_never_tested(language_model, place):
    metrics, history = language_model.metrics, language_model.history
    assert set(metrics) == {"best/valid_loss", "best/valid_perplexity", "best/epoch"}
    assert metrics["best/valid_loss"] == min(entry["valid/loss"] for entry in history)
    assert metrics["best/valid_perplexity"] == pytest.approx(math.exp(metrics["best/valid_loss"]))
    assert history[1]["valid/perplexity"] < history[0]["valid/perplexity"]
    assert "valid_perplexity" in repr(language_model)
    assert "<td>best epoch</td>" in language_model._repr_html_()
    recorded = MlflowClient(place.uri).get_run(language_model.location.run_id).data
    assert recorded.metrics["valid/perplexity"] == pytest.approx(history[-1]["valid/perplexity"])
    assert recorded.metrics["best/valid_perplexity"] == pytest.approx(metrics["best/valid_perplexity"])
    assert not any(name.startswith("test/") for name in recorded.metrics)
    assert recorded.tags["mlflow.note.content"].startswith("**language model**, best epoch 2, validation perplexity")


def test_a_language_model_predicts_no_labels_and_the_latest_model_is_a_classifier(language_model, place):
    with pytest.raises(SentexpError, match=r"model: a language model, which knows no labels; model.init starts"):
        TrainedModel.load(language_model.model_folder)
    found = find_run("latest", tracking_uri=place.uri, language_models=True)
    assert found.recorded.run_id == language_model.location.run_id
    logged = MlflowClient(place.uri).get_logged_model(found.recorded.model_id)
    assert logged.model_type == LANGUAGE_MODEL
    assert read_folder(found.folder).vocabulary == Vocabulary.load(language_model.model_folder / "vocab.txt")
    with pytest.raises(SentexpError, match="no finished run with a model"):
        find_run("latest", tracking_uri=place.uri)


@pytest.mark.parametrize("named", ["folder", "id", "name", "latest"])
def test_a_classifier_starts_with_the_words_and_weights_of_a_language_model(language_model, place, named):
    location = language_model.location
    init = {"folder": str(language_model.model_folder), "id": location.run_id, "name": "lm", "latest": "latest"}[named]
    config = place.config(f"model.init='{init}'")
    prepared = runner.prepare(config)
    model = runner.build_model(config, prepared)
    contents = read_folder(language_model.model_folder)
    assert prepared.pipeline.vocabulary == contents.vocabulary
    assert "<eos>" in contents.vocabulary.stoi
    own = model.state_dict()
    taken = {name for name in own if name.startswith(("embedding.", "rnn."))}
    assert taken == set(own) - {"head.weight", "head.bias"}
    assert all(torch.equal(own[name], contents.weights[name]) for name in taken)


def test_a_run_records_what_it_started_with_and_starts_the_next_one(language_model, place):
    first = place.run("model.init=lm", "trainer.epochs=1", EOS, "text.max_length=30")
    tags = MlflowClient(place.uri).get_run(first.location.run_id).data.tags
    assert tags["init.run_id"] == language_model.location.run_id
    assert tags["init.vocabulary"] == Vocabulary.load(language_model.model_folder / "vocab.txt").digest
    start = start_of(place.config("model.init=lm"))
    assert start is not None
    assert tags["init.weights"] == start.digest
    seen = json.loads(tags["seen"])
    assert set(seen) == {"start", "classifier", "selection"}  # no vocabulary of its own
    of_language_model = json.loads(MlflowClient(place.uri).get_run(tags["init.run_id"]).data.tags["seen"])
    assert len(of_language_model["classifier"]) == 2  # train and unlabelled
    assert set(seen["start"]) == {one for names in of_language_model.values() for one in names}
    second = start_of(place.config(f"model.init='{first.model_folder}'"))  # a classifier is as good a start
    assert second is not None
    assert torch.equal(second.weights["embedding.weight"], read_folder(first.model_folder).weights["embedding.weight"])
    assert TrainedModel.load(first.model_folder).predict(["a good film"]).shape == (1, 2)


def test_one_that_is_stopped_goes_on_whatever_the_start_is_called_then_unless_it_is_another(
    language_model, place, tmp_path
):
    folder, epochs = language_model.model_folder, "trainer.epochs=2"
    whole = place.run("model.init=lm", epochs)
    with pytest.raises(KeyboardInterrupt):
        runner.run(place.config("model.init=lm", epochs), output_dir=tmp_path / "out", on_epoch=stop)
    shutil.copytree(folder, tmp_path / "other")
    (tmp_path / "other" / "model.json").unlink()
    other = {name: 2 * value for name, value in read_folder(folder).weights.items()}
    torch.save(other, tmp_path / "other" / "weights.pt")
    resume = f"trainer.resume='{tmp_path / 'out'}'"
    with pytest.raises(SentexpError, match=r"the run of model.init is not the one that this training began with"):
        runner.run(place.config(f"model.init='{tmp_path / 'other'}'", epochs, resume))
    result = runner.run(place.config(f"model.init='{folder}'", epochs, resume))
    assert result.metrics == whole.metrics


def stop(metrics: dict[str, float], epoch: int) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_language_model_that_was_stopped_goes_on_as_if_it_had_not_been(place, tmp_path):
    task = ["task=language_model", EOS, "task.streams=8", "task.segment=20", "task.cutoffs=[]", "trainer.epochs=2"]
    whole = place.run(*task)
    with pytest.raises(KeyboardInterrupt):
        runner.run(place.config(*task), output_dir=tmp_path / "out", on_epoch=stop)
    result = runner.run(place.config(*task, f"trainer.resume='{tmp_path / 'out'}'"))
    assert result.metrics == whole.metrics


def test_shapes_shows_the_classifier_of_a_language_model(place):
    assert "pooling" in runner.show_shapes(place.config("task=language_model", EOS))


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.hidden_size=13", "model.hidden_size=13: model.init=lm has 12; expected model.hidden_size=12"),
        ("model.bidirectional=false", "model.bidirectional=false: model.init=lm has true; expected model.bidirec"),
        ("model.num_layers=2", "model.num_layers=2: model.init=lm has 1; expected model.num_layers=1"),
        ("model=gru", "model.cell=gru: model.init=lm has lstm; expected model.cell=lstm"),
        ("embedding.dim=11", "embedding.dim=11: model.init=lm has 10; expected embedding.dim=10"),
        ("vocab.max_size=7", "vocab.max_size=7: model.init=lm has 25000; expected vocab.max_size=25000"),
        ("text.clean.lowercase=false", "text.clean.lowercase=false: model.init=lm has true; expected text.clean.low"),
        ("tokenizer.language=de", "tokenizer.language=de: model.init=lm has en; expected tokenizer.language=en"),
        ("text.init_token='<sos>'", "text.init_token=<sos>: the vocabulary of model.init=lm lacks it; expected null"),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_way_out(language_model, place, override, line):
    with pytest.raises(SentexpError) as refused:
        runner.prepare(place.config("model.init=lm", override))
    assert str(refused.value).startswith(line)


def test_a_run_that_is_not_there_or_has_no_layers_or_is_damaged_is_refused(language_model, place, tmp_path):
    with pytest.raises(SentexpError, match=r"^model.init=nothing: nothing: no such run or folder"):
        start_of(place.config("model.init=nothing"))
    contents = read_folder(language_model.model_folder)
    copy = shutil.copytree(language_model.model_folder, tmp_path / "copy")
    (copy / "model.json").unlink()  # as a model of an early version
    torch.save({name: value for name, value in contents.weights.items() if "rnn" not in name}, copy / "weights.pt")
    with pytest.raises(SentexpError, match="has no recurrent layers over word vectors"):
        start_of(place.config(f"model.init='{copy}'"))
    torch.save(contents.weights | {"rnn.weight_hh_l0": torch.zeros(3, 3)}, copy / "weights.pt")
    config = place.config(f"model.init='{copy}'")
    with pytest.raises(SentexpError, match=r"weights.pt does not fit its config.yaml"):
        runner.build_model(config, runner.prepare(config))
    (copy / "vocab.txt").write_text("<unk>\n<pad>\n")
    with pytest.raises(SentexpError, match=r"vectors for 2 words"):
        start_of(config)
