from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_model import trained
from mlflow import MlflowClient

from sentexp.errors import SentexpError
from sentexp.tracking import journal
from sentexp.tracking.journal import FILE, JournaledRun, record_folder
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.trained_model import TrainedModel


class Store:
    """A run in a store that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.attempts = 0
        self.taken: list[tuple[str, Any]] = []

    def __getattr__(self, call: str) -> Any:
        def take(**arguments: Any) -> None:
            self.attempts += 1
            if self.away:
                raise SentexpError("tracking.uri=x: no answer from the server")
            self.taken.append((call, arguments.get("step", arguments.get("status"))))

        return take


@given(away=st.lists(st.booleans(), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_each_record_arrives_once_and_in_order_whenever_the_store_was_away(tmp_path_factory, away: list[bool]) -> None:
    store, folder = Store(), tmp_path_factory.mktemp("run")
    run = JournaledRun(store, folder, {})
    for step, is_away in enumerate(away):
        store.away = is_away
        run._next_attempt = 0.0  # as if time had passed
        run.log_metrics({"loss": 1.0}, step=step)
    store.away = False
    run.end("FINISHED", None)
    assert store.taken == [*(("log_metrics", step) for step in range(len(away))), ("end", "FINISHED")]
    assert not (folder / FILE).exists()


def test_a_store_that_is_away_is_seldom_asked_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    store.away = True
    run = JournaledRun(store, tmp_path, {})
    for step in range(100):
        run.log_metrics({"loss": 1.0}, step=step)
    assert store.attempts == 1
    assert len(caplog.records) == 1
    run.end("FINISHED", None)
    assert store.attempts == 2
    assert f"101 records wait; record them with: sentexp record {tmp_path}" in caplog.text


def test_the_wait_after_an_attempt_grows_with_what_it_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(journal.time, "monotonic", lambda: clock[0])
    store = Store()
    store.away = True
    monkeypatch.setattr(journal, "_replay", lambda *_: clock.__setitem__(0, clock[0] + 30) or store.log_metrics())
    run = JournaledRun(store, tmp_path, {})
    run.log_metrics({"loss": 1.0})
    clock[0] += 30 * journal.WAIT_SHARE - 1
    run.log_metrics({"loss": 1.0})
    assert store.attempts == 1
    clock[0] += 2
    run.log_metrics({"loss": 1.0})
    assert store.attempts == 2


def test_a_journal_that_cannot_be_written_does_not_cost_the_records(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    store = Store()
    run = JournaledRun(store, tmp_path / "file" / "run", {})
    run.log_metrics({"loss": 1.0}, step=1)
    run.end("FINISHED", None)
    assert store.taken == [("log_metrics", 1), ("end", "FINISHED")]
    assert caplog.text.count("no journal is kept") == 1


HALFWAY: list[Any] = []
"""Runs that have begun and not ended; Python would end those that nobody holds."""


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    HALFWAY.clear()


def interrupted(uri: str, folder: Path) -> str:
    """Record a run halfway, as one that is killed does; return its id."""
    tracker = MlflowTracker(uri, "journal")
    run = tracker.run(name="halfway", folder=folder)
    HALFWAY.append(run)
    record = run.__enter__()
    record.log_config({"seed": 3, "tracking": {"uri": "mysql://a:secret@b"}}, ["seed=3"])
    record.log_metrics({"train/loss": 0.5}, step=1)
    record.set_tags({"labels": ["neg", "pos"]})
    record._journal.release()  # as the end of its process does
    return record.location().run_id


def test_what_a_killed_run_had_recorded_is_completed_without_anything_twice(store_uri: str, tmp_path: Path) -> None:
    run_id = interrupted(store_uri, tmp_path)
    assert "secret" not in (tmp_path / FILE).read_text()
    with (tmp_path / FILE).open("a") as file:
        file.write(json.dumps({"call": "log_metrics", "metrics": {"train/loss": 0.4}, "step": 2, "at": 5}) + "\n")
        file.write('{"call": "log_metr')  # where the power went
    location = record_folder(tmp_path, MlflowTracker)
    assert location is not None
    assert location.run_id == run_id
    client = MlflowClient(store_uri)
    assert [(p.step, p.value) for p in client.get_metric_history(run_id, "train/loss")] == [(2, 0.4), (1, 0.5)]
    assert client.get_run(run_id).info.status == "KILLED"
    assert not (tmp_path / FILE).exists()


def test_a_run_that_goes_on_after_it_was_killed_has_its_records_once(store_uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(store_uri, "journal")
    run = tracker.run(name="halfway", folder=tmp_path, key="a key")
    HALFWAY.append(run)
    record = run.__enter__()
    for step in (1, 2):
        record.log_metrics({"train/loss": 1 / step}, step=step)
    record._journal.append({"call": "log_metrics", "metrics": {"train/loss": 0.3}, "step": 3, "at": 5})  # not yet sent
    record._journal.release()
    with (
        pytest.raises(SentexpError, match="what an earlier run in this folder has not recorded"),
        tracker.run(folder=tmp_path, key="another"),
    ):
        pass
    with tracker.run(folder=tmp_path, key="a key") as again:
        assert again.location().run_id == record.location().run_id
        assert again.last_step("train/loss") == 3
        assert again.last_step("valid/loss") == 0
        again.log_metrics({"train/loss": 0.2}, step=4)
    client = MlflowClient(store_uri)
    points = client.get_metric_history(record.location().run_id, "train/loss")
    assert sorted((point.step, point.value) for point in points) == [(1, 1.0), (2, 0.5), (3, 0.3), (4, 0.2)]
    assert client.get_run(record.location().run_id).info.status == "FINISHED"
    assert not list(tmp_path.iterdir())


def test_a_run_that_goes_on_is_left_alone_and_a_second_one_in_its_folder_is_not_begun(
    store_uri: str, tmp_path: Path
) -> None:
    tracker = MlflowTracker(store_uri, "one at a time")
    with tracker.run(folder=tmp_path) as run:
        with pytest.raises(SentexpError, match="the run goes on"):
            record_folder(tmp_path, MlflowTracker)
        earlier = pytest.raises(SentexpError, match=r"what an earlier run in this folder .* `sentexp record ")
        with earlier, tracker.run(folder=tmp_path):
            pass
    assert not list(tmp_path.iterdir())
    client = MlflowClient(store_uri)
    (only,) = client.search_runs([client.get_experiment_by_name("one at a time").experiment_id])
    assert only.info.run_id == run.location().run_id


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.txt", "model/../../secret.txt"])
def test_a_journal_from_elsewhere_sends_no_file_from_outside_of_its_folder(
    store_uri: str, tmp_path: Path, name
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    interrupted(store_uri, tmp_path / "run")
    record = {"call": "end", "status": "FINISHED", "log_file": name}
    with (tmp_path / "run" / FILE).open("a") as file:
        file.write(json.dumps(record) + "\n")
    with pytest.raises(SentexpError, match="outside of the run's folder"):
        record_folder(tmp_path / "run", MlflowTracker)


def test_a_journal_from_elsewhere_records_no_model_that_names_code_of_others(store_uri: str, tmp_path: Path) -> None:
    interrupted(store_uri, tmp_path)
    model = trained()
    hostile = {**model.config, "model": {"_target_": "os.system", "command": "true"}}
    TrainedModel(model.pipeline, model.model, model.labels, hostile).save(tmp_path / "other")
    with (tmp_path / FILE).open("a") as file:
        file.write(json.dumps({"call": "log_model", "folder": "other"}) + "\n")
    with pytest.raises(SentexpError, match="code outside of sentexp"):
        record_folder(tmp_path, MlflowTracker)


def test_the_password_of_a_store_is_not_kept(tmp_path: Path) -> None:
    begun = MlflowTracker("postgresql://anna:secret@db/runs", "x")
    run = type("Run", (), {"uri": "postgresql://anna:secret@db/runs"})()
    JournaledRun(Store(), tmp_path, begun._begun(run, None, None, "k"))._journal.release()
    assert "secret" not in (tmp_path / FILE).read_text()
    with pytest.raises(SentexpError, match="has a password, which is not kept; expected --tracking-uri"):
        record_folder(tmp_path, MlflowTracker)


def test_a_store_that_only_the_journal_names_is_sent_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**arguments: Any) -> None:
        raise SentexpError(f"{arguments['uri']}: asked")

    begun = {"call": "begin", "tracker": {"uri": "http://far:5000"}, "run": {}}
    (tmp_path / FILE).write_text(json.dumps(begun) + "\n")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "opensesame")
    with pytest.raises(
        SentexpError, match=r"tracking\.uri=http://far:5000: would be sent your MLFLOW_TRACKING_PASSWORD"
    ):
        record_folder(tmp_path, away)
    for uri, trust in ((None, True), ("http://far:5000", False)):
        with pytest.raises(SentexpError, match="asked"):
            record_folder(tmp_path, away, uri, trust=trust)


def test_a_registration_that_failed_is_made_up_for(store_uri: str, tmp_path: Path, monkeypatch) -> None:
    trained().save(tmp_path / "model")
    tracker = MlflowTracker(store_uri, "journal", register="made up for")

    def fail(*_: Any) -> None:
        raise SentexpError("no answer")

    with tracker.run(folder=tmp_path) as run, monkeypatch.context() as away:
        away.setattr("sentexp.tracking.logged_model.register", fail)
        run.log_model(tmp_path / "model")
    client = MlflowClient(store_uri)
    version = client.get_model_version_by_alias("made up for", "newest")
    assert version.run_id == run.location().run_id
    assert len(client.search_model_versions("name = 'made up for'")) == 1


def test_another_store_gets_the_run_anew(store_uri: str, tmp_path: Path) -> None:
    run_id = interrupted(store_uri, tmp_path / "run")
    other = f"sqlite:///{tmp_path}/other.db"
    location = record_folder(tmp_path / "run", MlflowTracker, other)
    assert location is not None
    assert (location.run_name, location.experiment, location.uri) == ("halfway", "journal", other)
    assert location.run_id != run_id
    run = MlflowClient(other).get_run(location.run_id)
    assert run.data.params == {"seed": "3"}
    assert run.data.tags["labels"] == '["neg", "pos"]'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"unrecorded\.jsonl: no such file; expected the output folder"),
        ("{}\n", r"unrecorded\.jsonl:1: damaged \(KeyError"),
        ("", r"unrecorded\.jsonl:1: damaged \(KeyError"),
        ('BEGUN\n{"call": "log_text", "texts": "x"}\n', r":2: damaged \(TypeError"),
        ('BEGUN\n{"call": "log_metrics", "metrics": [1]}\n', r":2: damaged \(AttributeError"),
        ('BEGUN\n{"call": "log_metrics", "metrics": {"a": "b"}}\n', r":2: damaged \(ValueError"),
        ("[]\n", r":1: damaged \(TypeError"),
        ('{"tracker": "x", "run": 3}\n', r":1: damaged \(AttributeError"),
        ('{"tracker": {"uris": "x"}, "run": {}}\n', r":1: damaged \(TypeError"),
        ('BEGUN\n{"call": "__init__"}\n', r":2: damaged \(ValueError: __init__\)"),
        ("BEGUN\n[]\n", r":2: damaged"),
        ("BEGUN\n{", None),
    ],
)
def test_a_damaged_journal_is_told_with_its_line(
    store_uri: str, tmp_path: Path, content: str | None, message: str | None
) -> None:
    begun = {"tracker": {"uri": store_uri, "experiment": "journal"}, "run": {"name": "x", "key": str(tmp_path)}}
    if content is not None:
        (tmp_path / FILE).write_text(content.replace("BEGUN", json.dumps(begun)))
    if message is None:
        record_folder(tmp_path, MlflowTracker)
        return
    with pytest.raises(SentexpError, match=message):
        record_folder(tmp_path, MlflowTracker)
