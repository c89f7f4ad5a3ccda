"""The MLflow store of a run: found, or created in such a way that many processes may do so at once."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from sentexp.errors import SentexpError
from sentexp.redact import without_passwords

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True)
class Store:
    uri: str
    """Absolute, so that it means the same in every folder and process."""
    client: MlflowClient
    experiment_id: str
    lock: AbstractContextManager[object]
    """Held for what MLflow does not do safely in several processes at once on one sqlite file."""


def absolute_uri(uri: str | None) -> str:
    """The address of the store: `uri`, else $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the current folder.

    A relative sqlite file becomes absolute. Raises SentexpError for a plain folder, where MLflow no longer keeps runs.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme == "file" or len(scheme) == 1:  # one letter: a Windows drive
        raise SentexpError(
            f"tracking.uri={uri}: a plain folder; expected sqlite:///FILE, http://SERVER or tracking=none"
        )
    if scheme.split("+")[0] != "sqlite":
        return uri
    path, question_mark, options = rest.removeprefix("///").partition("?")
    if not rest.startswith("///") or not path or path == ":memory:":
        raise SentexpError(f"tracking.uri={uri}: names no file; expected sqlite:///FILE")
    return f"{scheme}:///{Path(path).expanduser().absolute()}{question_mark}{options}"


def open_store(uri: str | None, experiment: str) -> Store:
    """Connects, and creates a sqlite database and the experiment where they are missing (2 to 3 s, else under 1 s).

    Next to a sqlite database lie its lock and `mlartifacts`, the folder of the files of its runs. Raises SentexpError
    if the store does not answer within seconds, if it is not one, or if the experiment has been deleted.
    """
    uri = absolute_uri(uri)
    _import_mlflow_quietly()
    from mlflow import MlflowClient

    database = _sqlite_file(uri)
    with explained(uri), brief_patience():
        lock: AbstractContextManager[object] = nullcontext()
        artifacts: Path | None = None if uri.startswith(("http", "databricks")) else Path.cwd() / "mlartifacts"
        if database is not None:
            artifacts = database.parent / "mlartifacts"
            database.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{database}.lock")
        elif artifacts is not None:
            _reach_database(uri)
        with lock:
            if database is not None:
                _create_sqlite(database, artifacts=database.parent / "mlartifacts")
            client = MlflowClient(uri)
            experiment_id = _experiment(client, experiment, artifacts)
        return Store(uri, client, experiment_id, lock)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turns what MLflow and its database raise into one line that names the store and the way out."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError) as error:
        reason = " ".join(without_passwords(str(error)).split())
        if " failed with exception " in reason:  # MLflow's words for a request that came to nothing
            cause = re.search(r"\[Errno -?\d+\] ([\w ]+)|(timed out)", reason)
            reason = f"no answer from the server ({cause[1] or cause[2]})" if cause else "no answer from the server"
        if len(reason) > 300:
            reason = reason[:300] + "..."
        way_out = "expected an MLflow store that answers: another tracking.uri, or tracking=none"
        if "out-of-date database schema" in reason:
            reason = "the database was made by another version of MLflow"
            way_out = f"expected `mlflow db upgrade {without_passwords(uri)}` first, or another tracking.uri"
        raise SentexpError(f"tracking.uri={without_passwords(uri)}: {reason}; {way_out}") from error


def _import_mlflow_quietly() -> None:
    # the user's own choice wins
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow  # noqa: F401

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _sqlite_file(uri: str) -> Path | None:
    scheme, _, rest = uri.partition(":///")
    return Path(rest.partition("?")[0]) if scheme.split("+")[0] == "sqlite" else None


def _create_sqlite(database: Path, artifacts: Path) -> None:
    """Makes the database under another name first: one whose creation was interrupted is broken for good."""
    if database.exists() and database.stat().st_size > 0:
        _check_sqlite(database)
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = database.with_name(f"{database.name}.{uuid.uuid4().hex}.new")  # MLflow remembers a file by its name
    unfinished.touch()  # in a folder that cannot be written to this fails at once; MLflow would try for minutes
    try:
        SqlAlchemyStore(f"sqlite:///{unfinished}", str(artifacts)).engine.dispose()
        os.replace(unfinished, database)
    finally:
        unfinished.unlink(missing_ok=True)


def _check_sqlite(database: Path) -> None:
    """MLflow would ask a file that is no database for minutes, and add its tables to one that is not its own."""
    with database.open("rb") as file:
        if file.read(len(SQLITE_HEADER)) != SQLITE_HEADER:
            raise OSError(f"{database} is not a sqlite database")
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=60)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            raise OSError(f"{database} is a database, but not one of MLflow's")


def _reach_database(uri: str) -> None:
    """Connects once to a database server: MLflow would try for minutes."""
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    if make_url(uri).get_backend_name() in ("postgresql", "mysql", "mssql"):
        engine = create_engine(uri)
        try:
            engine.connect().close()
        finally:
            engine.dispose()


KIND = "custom_model_development"
"""By which MLflow's pages know to show training runs, and not conversations with a language model."""


def _experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            location = str(artifacts) if artifacts is not None else None
            return client.create_experiment(name, location, tags={"mlflow.experimentKind": KIND})
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another machine may have been quicker
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise SentexpError(
            f"tracking.experiment={name}: has been deleted; expected another name, "
            f"or `mlflow experiments restore --experiment-id {found.experiment_id}` first"
        )
    return found.experiment_id


@contextmanager
def brief_patience() -> Iterator[None]:
    """MLflow asks a server that does not answer for minutes; inside, for seconds, unless the user has set it."""
    brief = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    ours = {name: value for name, value in brief.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
