from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from made_up_model import trained

from sentexp.errors import SentexpError
from sentexp.tracking import mlflow_tracker
from sentexp.tracking.interface import Location
from sentexp.tracking.mlflow_tracker import MlflowRun, MlflowTracker, page, ui_command
from sentexp.tracking.system_metrics import system_metrics


@pytest.fixture
def tracker(store_uri: str) -> MlflowTracker:
    return MlflowTracker(store_uri, experiment="tests", tags={"study": "speed"})


def recorded(run: MlflowRun) -> Any:
    return run._client.get_run(run.run_id)


def artifact(run: MlflowRun, path: str) -> str:
    return mlflow.artifacts.load_text(f"{recorded(run).info.artifact_uri}/{path}")


def test_a_run_that_comes_to_its_end_is_finished(tracker: MlflowTracker) -> None:
    with tracker.run() as run:
        assert recorded(run).info.status == "RUNNING"
    found = recorded(run)
    assert found.info.status == "FINISHED"
    assert found.info.end_time >= found.info.start_time
    assert found.data.tags["study"] == "speed"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("the loss\nis lost, mysql://a:secret@b"), "FAILED"),
        (SentexpError("data.path=x: no such file"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
    ],
)
def test_an_exception_decides_the_status_and_goes_on(tracker: MlflowTracker, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)) as raised, tracker.run() as run:
        raise error
    assert raised.value is error
    assert recorded(run).info.status == status
    if status == "FAILED":
        assert recorded(run).data.tags["error"] == str(error).replace("secret", "***")
        assert f"{type(error).__name__}: " in artifact(run, "traceback.txt")
        assert "secret" not in artifact(run, "traceback.txt")
    else:
        assert "error" not in recorded(run).data.tags


def test_a_run_with_a_key_goes_on_and_forgets_how_it_ended(tracker: MlflowTracker) -> None:
    with pytest.raises(ValueError, match="lost"), tracker.run(name="a sweep", key="once") as first:
        raise ValueError("lost")
    with tracker.run(name="another", key="once") as again:
        assert again.run_id == first.run_id
        assert recorded(again).info.status == "RUNNING"
    found = recorded(again)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "a sweep")
    assert "error" not in found.data.tags
    with tracker.run(key="another key") as other:
        assert other.run_id != first.run_id


def test_a_parent_ends_what_its_children_could_not(tracker: MlflowTracker, store_uri: str) -> None:
    started = []  # kept, for a context that is let go of ends its run

    def start(parent: MlflowRun | None) -> MlflowRun:
        started.append(tracker.run(parent_run_id=parent.run_id if parent is not None else None))
        return started[-1].__enter__()

    with tracker.run() as parent:
        with tracker.run(parent_run_id=parent.run_id) as finished:
            pass
        with pytest.raises(KeyError), tracker.run(parent_run_id=parent.run_id) as failed:
            raise KeyError("its own words")
        killed, left, own = start(parent), start(parent), start(None)
        parent.end_child(finished.run_id, "returned nan")
        parent.end_child(failed.run_id, "other words")
        parent.end_child(killed.run_id, "out of memory")
        parent.end_children("interrupted")
        parent.add_failed_child("7 x=1", "refused")
    ends = {
        finished: ("FAILED", "returned nan"),
        failed: ("FAILED", "'its own words'"),
        killed: ("KILLED", "out of memory"),
        left: ("KILLED", "interrupted"),
        own: ("RUNNING", None),
    }
    for run, (status, error) in ends.items():
        assert (recorded(run).info.status, recorded(run).data.tags.get("error")) == (status, error)
    client = mlflow.MlflowClient(store_uri)
    (added,) = client.search_runs([recorded(parent).info.experiment_id], "attributes.run_name = '7 x=1'")
    assert (added.info.status, added.data.tags["error"]) == ("FAILED", "refused")
    assert added.data.tags["mlflow.parentRunId"] == parent.run_id


def test_an_error_is_not_hidden_by_a_store_that_is_gone(
    tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        with tracker.run() as run:
            monkeypatch.setattr(run._client, "log_batch", _refuse)
            raise ZeroDivisionError("the real reason")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "may look unfinished" in caplog.text


def _refuse(*args: object, **kwargs: object) -> None:
    raise mlflow.MlflowException("no answer")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, "KILLED"), (signal.SIGTERM, "KILLED")])
def test_a_signal_kills_the_run_in_the_record_too(store_uri: str, number: int, status: str) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))\n"
        "from sentexp.tracking.mlflow_tracker import MlflowTracker\n"
        "with MlflowTracker(sys.argv[1], experiment='signals').run() as run:\n"
        "    print(run.run_id, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", program, store_uri],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        process.send_signal(number)
        process.wait(60)
    assert mlflow.MlflowClient(store_uri).get_run(run_id).info.status == status


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


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_the_log_is_recorded_however_a_run_ends(
    tracker: MlflowTracker, tmp_path: Path, error: BaseException | None, status: str
) -> None:
    file = tmp_path / "sentexp.log"
    with contextlib.suppress(ValueError, KeyboardInterrupt), tracker.run(log_file=file) as run:
        file.write_text("epoch 1/1")
        if error is not None:
            raise error
    assert recorded(run).info.status == status
    assert artifact(run, "sentexp.log") == "epoch 1/1"


def test_a_name_is_cut_to_what_mlflow_keeps_and_holds_no_password(tracker: MlflowTracker) -> None:
    with tracker.run(name="path=https://anna:secret@b " + "x" * 300) as run:
        pass
    assert recorded(run).info.run_name.startswith("path=https://anna:***@b xxx")
    assert len(recorded(run).info.run_name) == 250


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


def test_a_run_can_have_a_parent_and_a_name(tracker: MlflowTracker, store_uri: str) -> None:
    with (
        tracker.run() as parent,
        MlflowTracker(store_uri, "tests", run_name="child").run(parent_run_id=parent.run_id) as child,
    ):
        pass
    assert recorded(child).data.tags["mlflow.parentRunId"] == parent.run_id
    assert child.location().run_name == recorded(child).info.run_name == "child"


def test_a_model_is_not_kept_unless_wanted(store_uri: str, tmp_path: Path) -> None:
    with MlflowTracker(store_uri, "tests", log_model=False).run() as run:
        assert run.log_model(tmp_path) is None


def test_mlflows_own_active_run_and_address_are_left_alone(tracker: MlflowTracker) -> None:
    before = mlflow.get_tracking_uri()
    with tracker.run():
        assert mlflow.active_run() is None
        assert mlflow.get_tracking_uri() == before


def test_a_run_prints_and_logs_nothing(
    tracker: MlflowTracker, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), tracker.run() as run:
        run.log_metrics({"a": 1.0}, step=1)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_the_location_names_the_store_and_the_command_that_opens_it(tracker: MlflowTracker, store_uri: str) -> None:
    with tracker.run() as run:
        place = run.location()
    assert (place.uri, place.experiment, place.run_id) == (store_uri, "tests", run.run_id)
    assert place.ui_command.endswith(f"ui --backend-store-uri '{store_uri}'")  # quoted, for its space
    assert place.lines() == [
        f"look at it: {place.ui_command}",
        f"then open: http://127.0.0.1:5000/#/experiments/{place.experiment_id}/runs/{run.run_id}",
    ]


def test_a_server_opens_the_run_in_one_line() -> None:
    uri = "http://server:5000"
    place = Location(uri, "tests", "7", "a run", "abc", ui_command(uri, "7", "abc"), page(uri, "7", "abc"))
    assert place.lines() == ["look at it: python -m webbrowser 'http://server:5000/#/experiments/7/runs/abc'"]


@pytest.mark.parametrize(
    ("uri", "command"),
    [
        ("http://server:5000/", "python -m webbrowser 'http://server:5000/#/experiments/7/runs/abc'"),
        ("sqlite:////tmp/mlflow.db", "mlflow ui --backend-store-uri sqlite:////tmp/mlflow.db"),
        ("mysql://a:secret@b/runs", 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"'),
    ],
)
def test_the_command_fits_the_store(uri: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_tracker.shutil, "which", lambda program: str(Path(sys.executable).parent / program))
    assert ui_command(uri, "7", "abc") == command


def test_outside_of_the_activated_environment_the_command_names_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_tracker.shutil, "which", lambda program: None)
    assert ui_command("sqlite:////a.db", "7", "abc").startswith(f"{sys.executable} -m mlflow ui ")


def test_importing_the_tracker_imports_no_mlflow() -> None:
    program = "import sys, sentexp.tracking.mlflow_tracker, sentexp.tracking.none; print('mlflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


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


def test_a_run_in_a_folder_of_its_own_has_system_metrics(
    store_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    for wanted in (True, False):
        with MlflowTracker(store_uri, "tests", system_metrics=wanted).run(folder=tmp_path) as run:
            run_id = run.location().run_id
            time.sleep(0.5 if wanted else 0.2)
        metrics = mlflow.MlflowClient(store_uri).get_run(run_id).data.metrics
        assert ("system/cpu_utilization_percentage" in metrics) is wanted


def test_a_monitor_that_waits_for_its_server_does_not_hold_the_run_up(store_uri: str, monkeypatch) -> None:
    monkeypatch.setattr("sentexp.tracking.system_metrics.PATIENCE", 0.1)
    monitor = "mlflow.system_metrics.system_metrics_monitor.SystemMetricsMonitor"
    monkeypatch.setattr(f"{monitor}.start", lambda self: None)
    monkeypatch.setattr(f"{monitor}.finish", lambda self: time.sleep(60))
    began = time.monotonic()
    with system_metrics(store_uri, "0"):
        pass
    assert time.monotonic() - began < 30
