from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sentexp.errors import SentexpError
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.tracking.store import absolute_uri, existing_client, open_store


@pytest.fixture(autouse=True)
def no_address_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_without_an_address_runs_go_to_a_database_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)  # MLflow by itself would now take this folder
    monkeypatch.chdir(tmp_path)
    assert absolute_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"


def test_an_address_in_the_environment_comes_before_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert absolute_uri(None) == "http://server:5000"
    assert absolute_uri("http://other") == "http://other"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///runs/a.db", "sqlite:///{here}/runs/a.db"),
        ("sqlite:///a.db?timeout=30", "sqlite:///{here}/a.db?timeout=30"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("sqlite:////tmp/why%3F/100%/a.db", "sqlite+pysqlite:////tmp/why%3F/100%25/a.db"),
        ("sqlite+pysqlite:////tmp/%41.db", "sqlite+pysqlite:////tmp/A.db"),
        ("postgresql://db/runs", "postgresql://db/runs"),
    ],
)
def test_a_relative_database_becomes_absolute(
    uri: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri(uri) == expected.format(here=tmp_path)


@pytest.mark.parametrize("name", ["100%", "%41b", "x\"y'z #1", "why?"])
def test_a_folder_with_signs_that_mean_something_in_an_address_holds_its_database_and_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    store = open_store(None, "first")
    assert (folder / "mlflow.db").is_file()
    assert absolute_uri(store.uri) == store.uri
    assert open_store(store.uri, "first").experiment_id == store.experiment_id
    run_id = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_text(run_id, "text", "file.txt")
    assert (folder / "mlartifacts" / run_id / "artifacts" / "file.txt").is_file()
    assert [file.path for file in store.client.list_artifacts(run_id)] == ["file.txt"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "C:\\mlruns", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_keeps_no_runs_is_refused(uri: str) -> None:
    with pytest.raises(SentexpError, match=r"^tracking\.uri=.*expected sqlite:///FILE"):
        absolute_uri(uri)


def test_the_files_of_runs_lie_beside_the_database_and_no_mlruns_appears(store_folder: Path, store_uri: str) -> None:
    store = open_store(store_uri, "first")
    assert store.client.get_experiment(store.experiment_id).artifact_location == (store_folder / "mlartifacts").as_uri()
    assert store.client.get_experiment("0").artifact_location.startswith((store_folder / "mlartifacts").as_uri())
    assert sorted(path.name for path in store_folder.iterdir() if path.name != "mlartifacts") == [
        "mlflow.db",
        "mlflow.db.lock",
    ]


def test_an_existing_experiment_is_found_again(store_uri: str) -> None:
    assert open_store(store_uri, "again").experiment_id == open_store(store_uri, "again").experiment_id


def test_a_deleted_experiment_is_refused_with_the_command_that_restores_it(store_uri: str) -> None:
    store = open_store(store_uri, "gone")
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(SentexpError, match=rf"tracking\.experiment=gone.*--experiment-id {store.experiment_id}"):
        open_store(store_uri, "gone")


def test_a_server_that_does_not_answer_is_refused_quickly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(SentexpError, match=rf"^tracking\.uri={uri}: no answer .*tracking=none$") as refusal:
            open_store(uri, "x")
    assert time.monotonic() - began < 8
    assert "\n" not in str(refusal.value)
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


@pytest.mark.parametrize("uri", ["nonsense://server/runs", "postgresql://anna:secret@127.0.0.1:9/runs"])
def test_what_mlflow_cannot_reach_is_refused_in_one_line_without_the_password(uri: str) -> None:
    began = time.monotonic()
    with pytest.raises(SentexpError, match=r"^tracking\.uri=.*tracking=none$") as refusal:
        open_store(uri, "x")
    assert time.monotonic() - began < 8
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("my notes")
    with pytest.raises(SentexpError, match="is not a sqlite database"):
        open_store(f"sqlite:///{tmp_path}/notes.db", "x")
    assert (tmp_path / "notes.db").read_text() == "my notes"


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE accounts (money INTEGER)")
    with pytest.raises(SentexpError, match="not one of MLflow's"):
        open_store(f"sqlite:///{tmp_path}/other.db", "x")
    with sqlite3.connect(tmp_path / "other.db") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("accounts",)]


def test_a_database_of_an_unknown_version_is_refused_in_one_line(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "newer.db") as newer:
        newer.execute("CREATE TABLE experiments (experiment_id INTEGER)")
        newer.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        newer.execute("INSERT INTO alembic_version VALUES ('0123456789ab')")
    with pytest.raises(SentexpError, match=r"^tracking\.uri=[^\n]*0123456789ab[^\n]*$"):
        open_store(f"sqlite:///{tmp_path}/newer.db", "x")


def test_an_interrupted_creation_leaves_a_folder_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlflow.store.db.utils._verify_schema", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_store(f"sqlite:///{tmp_path}/mlflow.db", "x")
    assert not (tmp_path / "mlflow.db").exists()
    assert open_store(f"sqlite:///{tmp_path}/mlflow.db", "x").experiment_id == "1"


KILLED_WITHIN_A_WRITE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the end of the transaction
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE experiments SET name = 'half written' WHERE name = 'first'")
connection.execute("CREATE TABLE filler (text TEXT)")
connection.executemany("INSERT INTO filler VALUES (?)", [("x" * 2000,)] * 500)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("reopen", [open_store, existing_client])
def test_a_database_whose_writer_was_killed_is_as_before_the_write(
    reopen: Callable[..., object], store_folder: Path, tmp_path: Path
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes((store_folder / "mlflow.db").read_bytes())
    subprocess.run([sys.executable, "-c", KILLED_WITHIN_A_WRITE, str(database)], check=False)
    assert (tmp_path / "mlflow.db-journal").stat().st_size > 0
    size = database.stat().st_size
    reopen(f"sqlite:///{database}", *["first"] * (reopen is open_store))
    assert not (tmp_path / "mlflow.db-journal").exists()
    assert database.stat().st_size < size
    with closing(sqlite3.connect(database)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM experiments")}
    assert {"first", "Default"} <= names
    assert "half written" not in names


def test_a_database_that_stays_locked_is_told_in_one_line(
    store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentexp.tracking.store.LOCKED_SECONDS", 0.2)
    database = tmp_path / "mlflow.db"
    database.write_bytes((store_folder / "mlflow.db").read_bytes())
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SentexpError, match=r"^tracking\.uri=[^\n]*: database is locked; expected [^\n]*$"):
            open_store(f"sqlite:///{database}", "first")


@pytest.mark.slow  # MLflow waits for 20 s, whatever the address says
def test_a_write_to_a_locked_database_is_told_without_its_statement(
    store_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes((store_folder / "mlflow.db").read_bytes())
    run = MlflowTracker(f"sqlite:///{database}", experiment="first").start()
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SentexpError, match=r"^tracking\.uri=[^\n]*: database is locked; expected [^\n]*$"):
            run.log_metrics({"loss": 1.0}, step=1)
    assert not caplog.records


@pytest.mark.parametrize("beginning", [50, 5000, 100_000])
def test_a_damaged_database_is_told_in_one_line(beginning: int, store_folder: Path, tmp_path: Path) -> None:
    content = bytearray((store_folder / "mlflow.db").read_bytes())
    damage = b"\xa5" * min(40_000, len(content) - beginning)
    content[beginning : beginning + len(damage)] = damage
    (tmp_path / "mlflow.db").write_bytes(content)
    try:
        with MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db", experiment="first").run() as run:
            run.log_metrics({"loss": 1.0}, step=1)
    except SentexpError as error:
        assert re.match(r"tracking\.uri=[^\n]*expected [^\n]*$", str(error))  # noqa: PT017  (it may also work)


OPEN = """
import sys
from sentexp.tracking.mlflow_tracker import MlflowTracker
with MlflowTracker(sys.argv[1], experiment="together").run() as run:
    run.log_dataset("demo", "train", "d" * 64, "demo corpus", 10)
    run.log_params({f"p{number}": number for number in range(150)})
"""


@pytest.mark.slow
def test_four_processes_at_once_may_be_the_first_to_use_a_database(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, uri], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ended = [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
    assert ended == [("", 0)] * 4  # and not a word from MLflow
    store = open_store(uri, "together")
    runs = store.client.search_runs([store.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert {len(run.data.params) for run in runs} == {150}
    assert {len(run.inputs.dataset_inputs) for run in runs} == {1}
