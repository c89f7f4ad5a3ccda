from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pytest
import yaml
from made_up_model import trained
from recorded_runs import artifact, recorded

from sentexp.tracking.mlflow_tracker import MlflowTracker


def test_the_configuration_is_kept_leaf_by_leaf_and_as_files(tracker: MlflowTracker) -> None:
    config = {"seed": 0, "model": {"pooling": "last", "dropout": None}, "data": {f"key{n}": n for n in range(250)}}
    overrides = ["model.pooling=last", "tracking.uri=mysql://a:secret@b"]
    with tracker.run() as run:
        run.log_config(config, overrides)
    params = recorded(run).data.params
    assert len(params) == 253
    assert (params["model.pooling"], params["model.dropout"], params["data.key249"]) == ("last", "null", "249")
    assert yaml.safe_load(artifact(run, "config/config.yaml")) == config
    assert yaml.safe_load(artifact(run, "config/overrides.yaml")) == [overrides[0], "tracking.uri=mysql://a:***@b"]


def test_a_value_too_long_for_mlflow_is_cut_and_says_so(
    tracker: MlflowTracker, caplog: pytest.LogCaptureFixture
) -> None:
    with tracker.run() as run:
        run.log_params({"long": "x" * 7000, "just": "y" * 6000})
    params = recorded(run).data.params
    assert len(params["long"]) == 6000
    assert params["long"].endswith("see config/config.yaml)")
    assert params["just"] == "y" * 6000
    assert "long: 7000 characters" in caplog.text


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("skipped.my reviews (é).csv: no text", "skipped.my reviews _é_.csv: no text"),
        ("skipped.../a//b.csv", "skipped..._a__b.csv"),
        ("/abs", "_abs"),
        ("k" * 300, "k" * 250),
    ],
)
def test_names_that_mlflow_refuses_are_made_to_fit(tracker: MlflowTracker, key: str, name: str) -> None:
    with tracker.run() as run:
        run.log_params({key: 1})
        run.set_tags({key: 1})
    assert recorded(run).data.params == {name: "1"}
    assert recorded(run).data.tags[name] == "1"


def test_choices_are_parameters_beside_the_keys_of_their_option_and_where_a_run_is_recorded_is_none(
    tracker: MlflowTracker,
) -> None:
    config = {
        "seed": 0, "cache_dir": "/home/anna/.cache", "shapes": False, "model": {"hidden_size": 8}, "schedule": None,
        "tracking": {"uri": "sqlite:////home/anna/mlflow.db"},
    }  # fmt: skip
    choices = {"model": "lstm", "schedule": "constant", "experiment": "imdb", "tracking": "mlflow", "sweep": "default"}
    with tracker.run() as run:
        run.log_config(config, [], choices)
    assert recorded(run).data.params == {
        "seed": "0", "model": "lstm", "model.hidden_size": "8", "schedule": "constant", "experiment": "imdb",
    }  # fmt: skip
    assert yaml.safe_load(artifact(run, "config/config.yaml")) == config


def test_a_path_of_this_machine_is_a_tag_and_a_name_of_the_hub_a_parameter(tracker: MlflowTracker) -> None:
    paths = {f"data.{key}": f"/home/anna/{key}.csv" for key in ("path", "train", "valid", "test")}
    paths["embedding.path"] = "vectors.txt"
    config = {
        "data": {key: f"/home/anna/{key}.csv" for key in ("path", "train", "valid", "test")} | {"name": "owner/name"},
        "embedding": {"path": "vectors.txt"},
        "tokenizer": {"path": "mine.tokenize"},
    }
    with tracker.run() as run:
        run.log_config(config)
    assert recorded(run).data.params == {"data.name": "owner/name", "tokenizer.path": "mine.tokenize"}
    assert {key: recorded(run).data.tags.get(key) for key in paths} == paths
    assert yaml.safe_load(artifact(run, "config/config.yaml")) == config


def test_metrics_of_the_whole_run_have_step_0_so_that_mlflow_draws_bars(tracker: MlflowTracker) -> None:
    with tracker.run() as run:
        run.log_metrics({"test/accuracy": 0.5, "test/f1/5 ★ & more": 0.25})
    (point,) = run._client.get_metric_history(run.run_id, "test/accuracy")
    assert (point.value, point.step) == (0.5, 0)
    assert recorded(run).data.metrics["test/f1/5 _ _ more"] == 0.25  # MLflow refuses other signs


def test_metrics_have_their_step(tracker: MlflowTracker) -> None:
    with tracker.run() as run:
        for epoch, loss in ((1, 0.7), (2, float("nan")), (3, 0.5)):
            run.log_metrics({"train/loss": loss, "valid/accuracy": 0.5}, step=epoch)
    history = run._client.get_metric_history(run.run_id, "train/loss")
    assert [point.step for point in history] == [1, 2, 3]
    assert [point.value for point in history] == pytest.approx([0.7, float("nan"), 0.5], nan_ok=True)


def test_data_sets_are_inputs_with_our_digest_and_their_context(tracker: MlflowTracker) -> None:
    digests = {"train": "a" * 64, "valid": "b" * 16, "test": "c" * 36}
    with tracker.run() as run:
        for split, digest in digests.items():
            run.log_dataset("imdb", split, digest, "stanfordnlp/imdb", 25_000)
    inputs = {one.tags[0].value: one.dataset for one in recorded(run).inputs.dataset_inputs}
    assert {context: dataset.digest for context, dataset in inputs.items()} == {
        "train": "a" * 36,  # as long as MLflow can hold
        "validation": "b" * 16,
        "test": "c" * 36,
    }
    assert json.loads(inputs["train"].profile) == {"split": "train", "rows": 25_000, "digest": "a" * 64}
    assert inputs["train"].name == "imdb"


def test_the_environment_is_kept_as_tags_and_as_a_file(tracker: MlflowTracker) -> None:
    environment = {"git": {"commit": "abc", "dirty": True}, "hardware": {"gpus": [], "memory_gib": 3.5}}
    with tracker.run() as run:
        run.log_environment(environment)
    tags = recorded(run).data.tags
    assert (tags["git.commit"], tags["git.dirty"], tags["hardware.memory_gib"]) == ("abc", "true", "3.5")
    assert tags["mlflow.source.git.commit"] == "abc"
    assert json.loads(artifact(run, "environment.json")) == environment


def test_folders_and_texts_become_artifacts(tracker: MlflowTracker, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.txt").write_text("a")
    with tracker.run() as run:
        run.log_folder(tmp_path, "reports")
        run.log_text("zwölf", "model/shapes.txt")
    assert artifact(run, "reports/deep/a.txt") == "a"
    assert artifact(run, "model/shapes.txt") == "zwölf"


def test_a_model_is_not_kept_unless_wanted(store_uri: str, tmp_path: Path) -> None:
    with MlflowTracker(store_uri, "tests", log_model=False).run() as run:
        assert run.log_model(tmp_path) is None


def test_points_and_a_description_are_recorded(tracker: MlflowTracker) -> None:
    with tracker.run() as run:
        run.log_points("train/step_loss", [(10, 0.7, 1000), (20, 0.6, 2000)])
        run.describe("**test accuracy 0.9**")
    history = run._client.get_metric_history(run.run_id, "train/step_loss")
    assert sorted((point.step, point.value, point.timestamp) for point in history) == [(10, 0.7, 1000), (20, 0.6, 2000)]
    assert recorded(run).data.tags["mlflow.note.content"] == "**test accuracy 0.9**"


def test_final_figures_stand_on_the_models_page_with_the_data_that_they_are_of(store_uri: str, tmp_path: Path) -> None:
    trained().save(tmp_path / "model")
    tracker = MlflowTracker(store_uri, "tests", register="film judge@champion")
    before = mlflow.get_tracking_uri()
    for loss in (0.5, 0.25):
        with tracker.run() as run:
            run.log_dataset("films", "test", "c" * 36, "films.csv", 100)
            run.log_metrics({"train/loss": 0.75}, step=1)
            run.log_model(tmp_path / "model")
            run.log_metrics({"test/loss": loss, "best/epoch": 1})
    assert mlflow.get_tracking_uri() == before
    (output,) = recorded(run).outputs.model_outputs
    metrics = {one.key: one for one in run._client.get_logged_model(output.model_id).metrics}
    assert {name: one.value for name, one in metrics.items()} == {"test/loss": 0.25, "best/epoch": 1}
    assert (metrics["test/loss"].dataset_name, metrics["test/loss"].dataset_digest) == ("films", "c" * 36)
    champion = run._client.get_model_version_by_alias("film judge", "champion")
    assert (int(champion.version), champion.run_id) == (2, run.run_id)
