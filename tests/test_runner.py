"""A whole run as a program calls it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mlflow import MlflowClient
from torch import Tensor, nn

from sentexp import runner
from sentexp.config import compose, plain
from sentexp.errors import Pruned, SentexpError
from sentexp.instantiate import build_recipe
from sentexp.runs import find_run
from sentexp.tracking.journal import record_folder
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.trained_model import TrainedModel
from sentexp.training import Checkpoints, choose_machine, fit

TINY = ["data.size=300", "tracking=none", "trainer.processes=1", "trainer.precision=fp32", "trainer.device=cpu"]
TINY += ["model.hidden_size=16", "embedding.dim=16"]


@pytest.fixture
def tiny(tmp_path: Path):
    return lambda *overrides: compose(*TINY, f"cache_dir='{tmp_path / 'cache'}'", *overrides)


def test_golden_losses_of_the_first_five_steps(tiny) -> None:
    config = tiny("model.bidirectional=true")
    prepared = runner.prepare(config)
    model = runner.build_model(config, prepared)
    one_step_per_epoch = {"epochs": 5, "batch_size": 1000, "max_tokens": None, "clip_norm": 0.0}
    config.trainer = dataclasses.replace(config.trainer, **one_step_per_epoch)
    recipe = build_recipe(config, choose_machine(device="cpu", precision="fp32", processes=1))
    result = fit(model, prepared.corpora["train"], prepared.corpora["valid"], recipe)
    losses = [entry["train/loss"] for entry in result.history]
    assert losses == pytest.approx(GOLDEN, abs=2e-5)


GOLDEN = [0.693115, 0.692773, 0.692508, 0.692274, 0.692024]


def test_the_same_seed_is_the_same_run_and_another_is_another(tiny, tmp_path: Path) -> None:
    first, again, other = (
        runner.run(tiny("trainer.epochs=2", f"seed={seed}"), output_dir=tmp_path / str(number)).history
        for number, seed in enumerate((0, 0, 1))
    )
    figures = ("train/loss", "train/accuracy", "valid/loss", "valid/accuracy")
    first, again, other = ([[entry[name] for name in figures] for entry in run] for run in (first, again, other))
    assert first == again
    assert first[0] != other[0]


def test_the_saved_model_answers_as_the_run_did(tiny, tmp_path: Path) -> None:
    config = tiny("trainer.epochs=1")
    result = runner.run(config, output_dir=tmp_path / "<out>")
    assert repr(result).startswith(f"RunResult(test loss {result.metrics['test/loss']:.4f}, test accuracy ")
    assert repr(result).endswith(f"; {result.model_folder})")
    shown = result._repr_html_()
    assert f"<td>test accuracy</td><td>{result.metrics['test/accuracy']:.4f}</td>" in shown
    assert "&lt;out&gt;" in shown
    test = runner.prepare(config).reviews.splits["test"]
    answers = TrainedModel.load(result.model_folder).predict(test["text"][:]).argmax(1)
    accuracy = (answers == torch.tensor(test["label"][:])).float().mean()
    assert float(accuracy) == pytest.approx(result.metrics["test/accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [
        ["embedding=one_hot", "model=bag_of_words"],
        ["model=gru", "model.pooling=attention", "model.num_layers=2", "model.dropout=0.1"],
        ["embedding=one_hot", "model.bidirectional=true", "model.embedding_dropout=0.2"],
        ["model.ignore_padding=false", "trainer.bucket=false", "optimizer=sgd", "schedule=plateau"],
        ["text.fix_length=30", "optimizer=rmsprop", "schedule=cosine", "tokenizer=whitespace"],
        ["tokenizer=basic", "text.max_length=20", "text.truncate=head_tail", "optimizer=adagrad"],
        ["tokenizer=callable", "tokenizer.path=textwrap.wrap", "optimizer=adamw", "schedule=one_cycle"],
        ["text.clean.punctuation=true", "text.clean.numbers=true", "text.clean.stop_words=true", "vocab.max_size=50"],
        ["text.init_token='<sos>'", "text.eos_token='<eos>'", "trainer.batch_size=null", "trainer.max_tokens=500"],
        ["model.word_dropout=0.2", "model.output_dropout=0.2", "trainer.label_smoothing=0.1", "trainer.clip_norm=0"],
        ["trainer.early_stopping=1", "trainer.precision=bf16", "data.limit=40"],
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_choices_train_together(tiny, tmp_path: Path, overrides: list[str]) -> None:
    # one-hot vectors have no dimension to choose, a bag of words no hidden state
    without = {"embedding=one_hot": "embedding.dim", "model=bag_of_words": "model.hidden_size"}
    absent = tuple(key for option, key in without.items() if option in overrides) or ("none",)
    settings = [word for word in TINY if not word.startswith(absent)]
    config = compose(*settings, f"cache_dir='{tmp_path / 'cache'}'", "trainer.epochs=1", *overrides)
    result = runner.run(config, output_dir=tmp_path / "out")
    assert 0 <= result.metrics["test/accuracy"] <= 1
    assert (tmp_path / "out" / "reports" / "learning_curves.png").is_file()


def test_more_than_two_classes(tiny, tmp_path: Path) -> None:
    rows = "".join(f"{label} film {number},{label}\n" for number in range(40) for label in ("good", "bad", "so-so"))
    (tmp_path / "three.csv").write_text("text,label\n" + rows)
    config = compose(
        *(word for word in TINY if not word.startswith("data.")),
        f"cache_dir='{tmp_path / 'cache'}'",
        "data=files",
        f"data.path='{tmp_path / 'three.csv'}'",
        "trainer.epochs=15",
        "trainer.batch_size=16",
        "optimizer.lr=0.01",
    )
    assert runner.run(config, output_dir=tmp_path / "out").metrics["test/accuracy"] > 0.9


def test_a_loss_that_is_not_finite_ends_the_run_with_the_step_and_the_knob(tiny, tmp_path: Path) -> None:
    config = tiny("optimizer=sgd", "optimizer.lr=1e38", "trainer.clip_norm=0", "trainer.epochs=3")
    with pytest.raises(SentexpError, match=r"loss is (nan|inf).*step \d+.*optimizer\.lr") as error:
        runner.run(config, output_dir=tmp_path / "out")
    assert error.value.exit_status == 1


def test_what_is_said_while_it_runs(tiny, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    runner.run(tiny("trainer.epochs=1"), output_dir=tmp_path / "out")
    said = "\n".join(record.getMessage() for record in caplog.records)
    for words in ("demo corpus", "negative, positive", "vocabulary", "parameters", "epoch 1/1", "test accuracy"):
        assert words in said


def test_what_watches_the_run_hears_each_epoch_and_may_end_it(tiny, tmp_path: Path) -> None:
    heard: list[object] = []

    def stop_after_two(metrics: dict[str, float], epoch: int) -> None:
        heard.append((metrics["epoch"], epoch))
        if epoch == 2:
            raise Pruned(epoch)

    config = tiny("trainer.epochs=5")
    assert runner.run(config, output_dir=tmp_path, on_start=heard.append, on_epoch=stop_after_two) is None
    assert heard == [None, (1, 1), (2, 2)]


def test_shapes_shows_every_layer_of_a_real_batch(tiny) -> None:
    shown = runner.show_shapes(tiny("model.bidirectional=true"))
    assert "[B, T, E]" in shown
    assert "LSTM layer 1, backward" in shown


def test_the_model_is_saved_with_the_configuration_it_ran_with(tiny, tmp_path: Path) -> None:
    config = tiny("trainer.epochs=1")
    result = runner.run(config, output_dir=tmp_path / "out")
    saved = yaml.safe_load((result.model_folder / "config.yaml").read_text())
    assert saved == {section: value for section, value in plain(config).items() if section != "sweep"}


class Conv(nn.Module):
    """A model of the user's own; it takes no `unk_index`."""

    def __init__(self, embedding: nn.Embedding, num_classes: int, filters: int = 8, inner: Any = None) -> None:
        super().__init__()
        self.embedding = embedding
        self.conv = nn.Conv1d(embedding.embedding_dim, filters, 3, padding=1)
        self.inner = inner or nn.Identity()
        self.head = nn.Linear(filters, 1 if num_classes == 2 else num_classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        outside = torch.arange(ids.shape[1], device=ids.device) >= lengths[:, None]  # [B, T]
        vectors = self.embedding(ids).masked_fill(outside[:, :, None], 0.0)  # [B, T, E]
        outputs = self.inner(self.conv(vectors.transpose(1, 2)))  # [B, F, T]
        pooled = outputs.masked_fill(outside[:, None], float("-inf")).amax(2)  # [B, F]
        return self.head(pooled).squeeze(1)  # [B] or [B, C]


def table(vocabulary: Any, dim: int) -> nn.Embedding:
    """An embedding of the user's own, a plain one; the program's cache and seed are not for it."""
    return nn.Embedding(len(vocabulary), dim)


OWN = """
defaults:
  - override /model: conv
  - override /embedding: table
  - override /optimizer: rule
  - override /schedule: falling
"""
OWN_OPTIONS = {
    "model/conv": f"{{_target_: {__name__}.Conv, filters: 4, inner: {{_target_: torch.nn.ReLU}}}}",
    "embedding/table": f"{{_target_: {__name__}.table, dim: 6}}",
    "optimizer/rule": "{_target_: torch.optim.NAdam, lr: 0.01}",
    "schedule/falling": "{_target_: torch.optim.lr_scheduler.StepLR, step_size: 1, gamma: 0.5, interval: epoch}",
    "experiment/own": f"# @package _global_\n{OWN}",
}


@pytest.fixture
def own(tmp_path: Path):
    """A configuration of which every part is the user's own."""
    for option, content in OWN_OPTIONS.items():
        file = tmp_path / "conf" / f"{option}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    common = [word for word in TINY if not word.startswith(("model.", "embedding."))]
    common += [f"cache_dir='{tmp_path / 'cache'}'", f"hydra.searchpath=[file://{tmp_path / 'conf'}]", "experiment=own"]
    return lambda *overrides: compose(*common, *overrides)


def test_parts_of_the_users_own_train_are_saved_and_load(own, tmp_path: Path) -> None:
    config = own("trainer.epochs=2", "model.filters=3")
    result = runner.run(config, output_dir=tmp_path / "out")
    assert [entry["lr"] for entry in result.history] == [0.01, 0.005]
    loaded = TrainedModel.load(result.model_folder, trust=True)
    assert isinstance(loaded.model, Conv)
    assert isinstance(loaded.model.inner, nn.ReLU)
    assert loaded.model.conv.out_channels == 3
    test = runner.prepare(config).reviews.splits["test"]
    answers = loaded.predict(test["text"][:]).argmax(1)
    accuracy = (answers == torch.tensor(test["label"][:])).float().mean()
    assert float(accuracy) == pytest.approx(result.metrics["test/accuracy"], abs=1e-6)


def test_shapes_shows_a_model_of_the_users_own(own) -> None:
    shown = runner.show_shapes(own())
    assert "Conv" in shown
    assert "[B, T]" in shown


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    assert probabilities.shape == (len(labels), 2)
    return float(((probabilities[:, 1] - labels) ** 2).mean())


def failing(labels: np.ndarray, probabilities: np.ndarray) -> float:
    raise RuntimeError("told to fail")


def not_a_number(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float("nan")


def test_metrics_of_the_users_own_are_recorded_and_one_that_fails_costs_nothing_but_itself(
    tiny, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    names = {"brier": "brier", "broken": "failing", "nothing": "not_a_number"}
    metrics = [f"+evaluation.metrics.{name}={__name__}.{function}" for name, function in names.items()]
    result = runner.run(tiny("trainer.epochs=1", *metrics, "sweep.metric=test/brier"), output_dir=tmp_path / "out")
    assert 0 <= result.metrics["test/brier"] <= 1
    assert not {"test/broken", "test/nothing"} & set(result.metrics)
    said = [record.getMessage() for record in caplog.records]
    assert any("broken" in line and "told to fail" in line for line in said)
    assert any("nothing" in line and "nan" in line for line in said)
    assert any(f"test brier {result.metrics['test/brier']:.4f}" in line for line in said)


def test_in_mlflow_choices_are_parameters_and_what_was_found_is_tags_and_metrics(tiny, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("the 1 2\nfilm 3 4\n")
    words = [word for word in TINY if not word.startswith(("embedding.", "tracking"))]
    words += [
        "embedding=word2vec",
        f"embedding.path='{tmp_path / 'vectors.txt'}'",
        "trainer.epochs=2",
        "model.pooling=max",
    ]
    words += [f"cache_dir='{tmp_path / 'cache'}'", f"tracking.uri='sqlite:///{tmp_path}/mlflow.db'"]
    result = runner.run(compose(*words, "tracking.log_model=false"), output_dir=tmp_path / "out")
    assert result.location.run_name.endswith("epochs=2 pooling=max")
    client = MlflowClient(result.location.uri)
    found = client.get_run(result.location.run_id).data
    assert (found.params["data"], found.params["model"], found.params["model.pooling"]) == ("demo", "lstm", "max")
    recorded = Path(client.download_artifacts(result.location.run_id, "config/overrides.yaml", str(tmp_path)))
    assert yaml.safe_load(recorded.read_text()) == [*words, "tracking.log_model=false"]
    groups = {key.split(".")[0] for key in found.params}
    assert not groups & {"chosen", "report", "skipped", "coverage", "labels", "tracking", "cache_dir", "experiment"}
    assert found.tags["chosen.processes"] == "1 (as requested)"
    assert found.tags["labels"] == '["negative", "positive"]'
    assert found.tags["coverage.found"] == "2"
    assert int(found.tags["report.train/reviews"]) == 216
    assert found.metrics["model/vocabulary"] == int(found.tags["report.vocabulary"])
    parameters = sum(weight.numel() for weight in TrainedModel.load(result.model_folder).model.parameters())
    assert found.metrics["model/parameters"] == parameters
    steps = {
        name: [point.step for point in client.get_metric_history(result.location.run_id, name)]
        for name in found.metrics
    }
    of_the_run = {name for name, found in steps.items() if found == [0]}  # MLflow draws a bar
    assert {"test/accuracy", "test/f1/negative", "best/epoch", "baseline/linear", "model/parameters"} <= of_the_run
    assert steps["valid/loss"] == [1, 2]


def test_a_run_that_has_seen_the_texts_of_its_test_says_so_everywhere(
    tiny, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"{'good' if number % 2 else 'bad'} film {number},{number % 2}" for number in range(80)]
    for name, some in {"train": lines[:60], "test": lines[60:]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *some]))
    (tmp_path / "more.txt").write_text("a film\nanother film\n")
    settings = [one for one in TINY if not one.startswith(("data.size", "tracking"))]
    settings += ["data=files", f"data.train={tmp_path}/train.csv", f"data.test={tmp_path}/test.csv", "data.labels=10"]
    settings += ["trainer.epochs=1", f"cache_dir='{tmp_path / 'cache'}'", "tracking.log_model=false"]
    settings += [f"tracking.uri='sqlite:///{tmp_path}/mlflow.db'"]
    found, said = {}, {}
    for name in ("more.txt", "test.csv"):
        caplog.clear()
        caplog.set_level(logging.INFO, logger="sentexp")
        config = compose(*settings, f"data.unlabelled={tmp_path / name}")
        found[name] = runner.run(config, output_dir=tmp_path / f"out {name}")
        said[name] = [record.getMessage() for record in caplog.records if "transductive" in record.getMessage()]
    client = MlflowClient(found["more.txt"].location.uri)
    inductive, transductive = (client.get_run(one.location.run_id).data.tags for one in found.values())
    line = "transductive: 20 of the 20 test reviews (100.0 %) are among the texts that the model has seen beside its"
    assert [len(some) for some in said.values()] == [0, 1]
    assert said["test.csv"][0].startswith(f"books: {line}")
    assert ("transductive" in inductive, inductive["test_seen"]) == (False, "0")
    assert (transductive["transductive"], transductive["test_seen"]) == ("true", "20")
    digests = runner.prepare(config).reviews.digests
    assert json.loads(transductive["seen"]) == {
        "vocabulary": [digests["train"], digests["unlabelled"]],
        "classifier": [digests["train"]],
        "selection": [digests["valid"]],
    }
    assert json.loads(inductive["seen"])["classifier"] == [digests["train"]]
    assert [line in tags.get("mlflow.note.content", "") for tags in (inductive, transductive)] == [False, True]
    pages = [(tmp_path / f"out {name}" / "reports/mistakes.html").read_text() for name in found]
    assert [line in page for page in pages] == [False, True]
    assert [one.transductive for one in found.values()] == [False, True]
    assert "transductive" in repr(found["test.csv"])
    assert line in found["test.csv"]._repr_html_()
    books = TrainedModel.load(found["test.csv"].model_folder).books
    assert books is not None
    assert books.tag() == transductive["seen"]


def test_a_configuration_that_was_changed_is_recorded_without_what_made_it_and_a_line_says_so(
    tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logged: list[tuple[Any, ...]] = []
    monkeypatch.setattr("sentexp.tracking.none.NoRun.log_config", lambda self, *what: logged.append(what))
    composed = tiny("trainer.epochs=1", "evaluation.baseline=false")
    replaced = dataclasses.replace(composed, seed=7)
    for config, known in ((composed, True), (replaced, False)):
        caplog.clear()
        runner.run(config, output_dir=tmp_path / "out")
        values, overrides, choices = logged.pop()
        assert values["seed"] == config.seed
        assert ("trainer.epochs=1" in overrides, choices.get("model") == "lstm") == (known, known)
        said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert [line for line in said if "overrides" in line] == ([] if known else [runner.CHANGED])


def test_coverage_and_parameters_are_said(tiny, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    (tmp_path / "vectors.txt").write_text("the 1 2\nfilm 3 4\n")
    vectors = ["embedding=word2vec", f"embedding.path='{tmp_path / 'vectors.txt'}'"]
    words = [word for word in TINY if not word.startswith("embedding.")]
    config = compose(*words, f"cache_dir='{tmp_path / 'cache'}'", *vectors)
    runner.build_model(config, runner.prepare(config))
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "embedding: 2 of " in said
    assert "model: " in said
    assert " parameters" in said


@pytest.mark.slow
def test_without_logging_a_run_prints_its_lines_and_has_a_folder_of_its_own(tmp_path: Path) -> None:
    program = (
        "from sentexp import compose, run\n"
        "config = compose('data.size=100', 'trainer.epochs=2', 'model.hidden_size=8', 'trainer.processes=1',\n"
        "                 'tracking=none', 'cache_dir=cache')\n"
        "folders = {run(config).model_folder.parent for _ in range(2)}\n"
        "assert len(folders) == 2, folders\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("epoch 2/2") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "outputs"}


def test_a_store_that_fails_costs_neither_the_model_nor_its_record(
    tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SentexpError("tracking.uri=sqlite:///runs.db: disk full")

    uri, output = f"sqlite:///{tmp_path / 'runs.db'}", tmp_path / "out"
    config = tiny("trainer.epochs=2", "tracking=mlflow", f"tracking.uri='{uri}'")
    with monkeypatch.context() as away:
        away.setattr("sentexp.tracking.mlflow_run.MlflowRun.log_metrics", fail)
        result = runner.run(config, output_dir=output)
    assert TrainedModel.load(output / "model").predict(["good"]).shape == (1, 2)
    assert "disk full; the run goes on, and keeps its records in" in caplog.text
    assert f"record them with: sentexp record {output}" in caplog.text

    location = record_folder(output, MlflowTracker)
    assert (location.uri, location.run_id) == (uri, result.location.run_id)
    run = MlflowClient(uri).get_run(location.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/accuracy"] == pytest.approx(result.metrics["test/accuracy"])
    points = MlflowClient(uri).get_metric_history(location.run_id, "train/loss")
    assert [point.step for point in points] == [1, 2]
    assert find_run(location.run_id, tracking_uri=uri).recorded is not None
    assert not (output / "unrecorded.jsonl").exists()


@pytest.mark.parametrize("kind", ["killed", "interrupted"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    kind: str, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    common = ("trainer.epochs=3", "tracking=mlflow", f"tracking.uri='{uri}'", "trainer.log_every=1")
    common += ("trainer.batch_size=32", "model.output_dropout=0.5", "tracking.system_metrics=false")
    whole = runner.run(tiny(*common), output_dir=tmp_path / "whole")
    output = tmp_path / "stopped"

    def stop(_metrics: dict[str, float], epoch: int) -> None:
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    caplog.set_level(logging.INFO, logger="sentexp")
    config = tiny(*common, "trainer.checkpoint_minutes=0")
    with monkeypatch.context() as patched:
        if kind == "killed":  # nothing more is written of it, and its last checkpoint is older than its last points
            patched.setattr("sentexp.training.checkpoints.Checkpoints.save", save_in_epoch_2_and_no_more())
            patched.setattr("sentexp.tracking.journal.JournaledRun.end", lambda self, *_: self._journal.release())
        with pytest.raises(KeyboardInterrupt):
            runner.run(config, output_dir=output, on_epoch=stop)
    if kind == "interrupted":
        assert f"go on with: sentexp trainer.resume={output}" in caplog.text
    heard: list[int] = []
    resumed = compose(f"trainer.resume='{output}'")
    rest = runner.run(resumed, on_epoch=lambda _metrics, epoch: heard.append(epoch))

    assert rest.model_folder == output / "model"
    assert heard == [1, 2, 3]
    assert rest.metrics == whole.metrics
    ours, theirs = (torch.load(one.model_folder / "weights.pt") for one in (rest, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("sentexp")
    assert len(client.search_runs([experiment.experiment_id])) == 2
    run = client.get_run(rest.location.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["resumed.from"].startswith("step-00000000")
    for name in run.data.metrics:
        if "second" not in name:
            points = [client.get_metric_history(one.location.run_id, name) for one in (rest, whole)]
            found, expected = ([(point.step, point.value) for point in some] for some in points)
            assert sorted(found) == sorted(expected), name
    assert not (output / "checkpoints").exists()
    assert not (output / "unrecorded.jsonl").exists()


def save_in_epoch_2_and_no_more():
    plain = Checkpoints.save

    def save(self: Checkpoints, state: Any) -> None:
        if state.epoch == 1 or (state.epoch == 2 and state.sums is not None and state.sums.steps < 3):
            plain(self, state)

    return save


def test_reviews_that_have_changed_end_what_would_go_on(tiny, tmp_path: Path) -> None:
    output = tmp_path / "out"
    file = tmp_path / "reviews.csv"
    lines = [f"{'good' if number % 2 else 'bad'} film {number},{number % 2}" for number in range(60)]
    file.write_text("\n".join(["text,label", *lines]))
    settings = [one for one in TINY if "data.size" not in one]
    settings += ["data=files", f"data.path={file}", "trainer.epochs=2", "trainer.checkpoint_every=1"]
    config = compose(*settings, f"cache_dir='{tmp_path / 'cache'}'")
    assert runner.run(config, output_dir=output) is not None
    file.write_text("\n".join(["text,label", *lines]).replace("film", "movie"))
    with pytest.raises(SentexpError, match=r"resume=.*out: the .* is not the one that this training began with"):
        runner.run(config, resume=output)


def test_unlabelled_texts_that_have_changed_end_what_would_go_on(tiny, tmp_path: Path) -> None:
    file = tmp_path / "more.txt"
    lines = [f"{'good' if number % 2 else 'bad'} film {number},{number % 2}" for number in range(60)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *lines]))
    settings = [one for one in TINY if "data.size" not in one]
    settings += ["data=files", f"data.path={tmp_path}/reviews.csv", f"data.unlabelled={file}", "vocab.unlabelled=false"]
    settings += ["trainer.epochs=1", "trainer.checkpoint_every=1", f"cache_dir='{tmp_path / 'cache'}'"]
    file.write_text("a film\nanother film\n")
    assert runner.run(compose(*settings), output_dir=tmp_path / "out") is not None
    file.write_text("a film\nanother movie\n")
    with pytest.raises(
        SentexpError, match=r"resume=.*out: the unlabelled split is not the one that this training began"
    ):
        runner.run(compose(*settings), resume=tmp_path / "out")


def test_a_used_folder_is_refused_for_another_run(tiny, tmp_path: Path) -> None:
    output = tmp_path / "out"
    runner.run(tiny("trainer.epochs=1", "trainer.checkpoint_every=1"), output_dir=output)
    with pytest.raises(SentexpError, match=r"out: holds checkpoints of a run .* expected trainer.resume="):
        runner.run(tiny("seed=7"), output_dir=output)


@pytest.mark.slow
def test_a_run_that_goes_on_longer_or_elsewhere_is_recorded_whole(tiny, tmp_path: Path) -> None:
    first, second = (f"sqlite:///{tmp_path / name}.db" for name in ("first", "second"))
    output = tmp_path / "out"
    settings = ("tracking=mlflow", "trainer.checkpoint_every=1", "tracking.system_metrics=false", "trainer.log_every=2")
    runner.run(tiny(*settings, "trainer.epochs=1", f"tracking.uri='{first}'"), output_dir=output)
    longer = runner.run(compose(f"trainer.resume='{output}'", "trainer.epochs=3"))
    saved = (output / "model" / "weights.pt").read_bytes()
    for store in (first, second):
        if store == second:
            longer = runner.run(compose(f"trainer.resume='{output}'", "trainer.epochs=3", f"tracking.uri='{second}'"))
        found = find_run(longer.location.run_id, tracking_uri=store)
        assert (found.folder / "weights.pt").read_bytes() == saved
        client = MlflowClient(store)
        run = client.get_run(longer.location.run_id)
        assert run.data.params["model.hidden_size"] == "16"
        assert run.data.metrics["test/accuracy"] == pytest.approx(longer.metrics["test/accuracy"])
        points = client.get_metric_history(longer.location.run_id, "train/loss")
        assert sorted(point.step for point in points) == [1, 2, 3]


def test_more_epochs_can_follow_where_checkpoints_by_epochs_were_asked_for(tiny, tmp_path: Path) -> None:
    longer = runner.run(tiny("trainer.epochs=4"), output_dir=tmp_path / "longer")
    runner.run(tiny("trainer.epochs=2", "trainer.checkpoint_every=1"), output_dir=tmp_path / "out")
    resumed = runner.run(tiny("trainer.epochs=4", f"trainer.resume='{tmp_path / 'out'}'"))
    assert resumed.metrics == longer.metrics
    assert len(resumed.history) == 4


def test_the_linear_baseline_is_run_saved_and_recorded_like_any_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    config = compose("model=nb_ngrams", "data.size=400", "tracking=none", f"cache_dir='{tmp_path / 'cache'}'")
    result = runner.run(config, output_dir=tmp_path / "out")
    assert [entry["epoch"] for entry in result.history] == [1]
    assert result.metrics["test/accuracy"] > 0.75
    assert result.baselines is not None
    assert result.baselines.majority < 0.6 < result.baselines.linear
    assert "model: solved at once" in caplog.text
    loaded = TrainedModel.load(result.model_folder)
    test = runner.prepare(config).reviews.splits["test"]
    right = loaded.predict(test["text"][:]).argmax(1).numpy() == np.array(test["label"])
    assert right.mean() == result.metrics["test/accuracy"]
