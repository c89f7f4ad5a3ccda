"""The MLflow store of a run: opened, or created so that several processes may do it at the same time."""

from __future__ import annotations

import functools
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sentexp.atomic import whole_file
from sentexp.errors import LONGEST_REASON, SentexpError
from sentexp.locks import held
from sentexp.redact import without_passwords

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE_HEADER = b"SQLite format 3\0"
"""First bytes of every sqlite database."""

LOCKED_SECONDS = 60
"""How long a run that begins waits for a database that another process keeps locked; others write for milliseconds."""

KIND = "custom_model_development"
"""Kind of experiment for which MLflow's pages show training runs, and not conversations with a language model."""


@dataclass(frozen=True)
class Store:
    """An MLflow store that answers, and an experiment in it."""

    uri: str
    """Absolute, so that it means the same in every folder and process."""
    client: MlflowClient
    experiment_id: str
    alone: Callable[[], AbstractContextManager[object]]
    """What it returns is to be held where MLflow is not safe with several processes on one sqlite file."""


def absolute_uri(uri: str | None) -> str:
    """Return the address of the store: `uri`, or $MLFLOW_TRACKING_URI, or sqlite:///mlflow.db in the current folder.

    The path of a sqlite file becomes absolute. Raises SentexpError for a plain folder, where MLflow no longer keeps
    runs, and for a sqlite address without a file.
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
    return f"{_address(Path(unquote(path)).expanduser().absolute(), scheme)}{question_mark}{options}"


def _address(path: Path, scheme: str = "sqlite") -> str:
    """Return the address of a sqlite file, in which % and ? are encoded.

    Such an address names its driver as well: of one that begins with sqlite:///, MLflow takes the path as it stands,
    and makes an empty folder of that name.
    """
    encoded = str(path).replace("%", "%25").replace("?", "%3F")
    return f"{f'{scheme}+pysqlite' if encoded != str(path) and '+' not in scheme else scheme}:///{encoded}"


def open_store(uri: str | None, experiment: str) -> Store:
    """Connect to the store, and create a sqlite database and the experiment if they are missing.

    Takes 2 to 3 s if it creates the database, else less than 1 s. Beside a sqlite database lie its lock and
    `mlartifacts`, the folder with the files of its runs. Raises SentexpError if the store does not answer within
    seconds, if the database is not MLflow's, or if the experiment has been deleted.
    """
    uri = absolute_uri(uri)
    _import_mlflow_quietly()
    from mlflow import MlflowClient

    database = _sqlite_file(uri)
    with explained(uri), brief_patience():
        alone: Callable[[], AbstractContextManager[object]] = nullcontext
        artifacts: Path | None = None if uri.startswith(("http", "databricks")) else Path.cwd() / "mlartifacts"
        if database is not None:
            artifacts = database.parent / "mlartifacts"
            database.parent.mkdir(parents=True, exist_ok=True)
            alone = functools.partial(held, Path(f"{database}.lock"))
        elif artifacts is not None:
            _reach_database(uri)
        with alone():
            if database is not None:
                _create_sqlite(database, artifacts=database.parent / "mlartifacts")
            client = MlflowClient(uri)
            experiment_id = _experiment(client, experiment, artifacts)
        return Store(uri, client, experiment_id, alone)


def existing_client(uri: str | None) -> tuple[MlflowClient, str]:
    """Return a client of a store that is there already, and the store's absolute address; nothing is created.

    Raises SentexpError as `open_store` does, and for a sqlite database that is not there.
    """
    uri = absolute_uri(uri)
    database = _sqlite_file(uri)
    if database is not None and not database.is_file():
        way_out = "expected the folder in which `sentexp` ran, or the address of a store"
        raise SentexpError(f"tracking.uri={without_passwords(uri)}: there are no runs; {way_out}")
    _import_mlflow_quietly()
    from mlflow import MlflowClient

    with explained(uri), brief_patience():
        if database is not None:
            _check_sqlite(database)
        else:
            _reach_database(uri)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)  # a server that does not answer is told now
    return client, uri


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what MLflow and its database raise into a SentexpError that names the store and the way out."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, sqlite3.Error, OSError, ImportError) as error:
        # Passwords go before the text is cut: the first half of one would not be recognized.
        # a database's own words, without the statement that SQLAlchemy adds; MLflow raises from SQLAlchemy's error
        said = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        reason = " ".join(without_passwords(str(said)).split())
        if " failed with exception " in reason:  # MLflow's words for a request that got no answer
            cause = re.search(r"\[Errno -?\d+\] ([\w ]+)|(timed out)", reason)
            reason = f"no answer from the server ({cause[1] or cause[2]})" if cause else "no answer from the server"
        if len(reason) > LONGEST_REASON:
            reason = reason[:LONGEST_REASON] + "..."
        way_out = "expected an MLflow store that answers: another tracking.uri, or tracking=none"
        if "out-of-date database schema" in reason:
            reason = "the database was made by another version of MLflow"
            way_out = f"expected `mlflow db upgrade {without_passwords(uri)}` first, or another tracking.uri"
        raise SentexpError(f"tracking.uri={without_passwords(uri)}: {reason}; {way_out}") from error


def _import_mlflow_quietly() -> None:
    # setdefault: what the user has set stays
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow  # noqa: F401

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # a traceback of what it then raises
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it tells of each retry


def _sqlite_file(uri: str) -> Path | None:
    scheme, _, rest = uri.partition(":///")
    return Path(unquote(rest.partition("?")[0])) if scheme.split("+")[0] == "sqlite" else None


def _create_sqlite(database: Path, artifacts: Path) -> None:
    """Create the database, whole or not at all: one whose creation was interrupted would stay broken."""
    if database.exists() and database.stat().st_size > 0:
        _check_sqlite(database)
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with whole_file(database) as unfinished:
        unfinished.touch()  # in a folder that cannot be written to this fails at once; MLflow would try for minutes
        SqlAlchemyStore(_address(unfinished), artifacts.as_uri()).engine.dispose()


def _check_sqlite(database: Path) -> None:
    """Raise OSError unless the file is an MLflow database.

    MLflow itself would retry for minutes on a file that is no database, and add its tables to a database of others.
    Raises sqlite3.Error for a database that is damaged, or that another process keeps locked for LOCKED_SECONDS.
    """
    with database.open("rb") as file:
        if file.read(len(SQLITE_HEADER)) != SQLITE_HEADER:
            raise OSError(f"{database} is not a sqlite database")
    # not mode=ro: a process that was killed within a write leaves a journal, which sqlite takes back before it reads
    connected = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=LOCKED_SECONDS)
    with closing(connected) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            raise OSError(f"{database} is a database, but not one of MLflow's")


def _reach_database(uri: str) -> None:
    """Connect once to a database server, which fails at once if there is none; MLflow would retry for minutes."""
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    if make_url(uri).get_backend_name() in ("postgresql", "mysql", "mssql"):
        engine = create_engine(uri)
        try:
            engine.connect().close()
        finally:
            engine.dispose()


def _experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    """Return the id of the experiment, created if it is missing."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            # as an address: of a plain path MLflow would decode the %41
            location = artifacts.as_uri() if artifacts is not None else None
            return client.create_experiment(name, location, tags={"mlflow.experimentKind": KIND})
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another machine may have created it meanwhile
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
    """Make MLflow give up on a silent server within seconds, not minutes; what the user has set stays."""
    brief = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    ours = {name: value for name, value in brief.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
