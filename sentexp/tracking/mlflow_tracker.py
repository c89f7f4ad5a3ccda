"""tracking=mlflow: record a run in an MLflow store while it goes on. MLflow itself is imported when the run starts.

All is recorded through a client of our own. The process's active run, tracking URI and experiment are not touched, so a
notebook can use MLflow's global functions beside it.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentexp import terminal
from sentexp.errors import SentexpError
from sentexp.machine.identity import has_ended, process_name
from sentexp.redact import without_passwords
from sentexp.tracking.environment import program
from sentexp.tracking.interface import PROCESS
from sentexp.tracking.journal import JournaledRun, refuse_another, send_waiting
from sentexp.tracking.mlflow_run import LONGEST_NAME, MlflowRun, user, writing
from sentexp.tracking.store import Store, brief_patience, open_store
from sentexp.tracking.system_metrics import system_metrics

if TYPE_CHECKING:
    from mlflow.entities import Run as Entity

log = logging.getLogger(__name__)

KEY = "sentexp.key"
"""Tag by which a run is found again, to be continued."""


class MlflowTracker:
    """Records runs in an MLflow store. Nothing happens before `run`.

    `tags` are set on every run; the other arguments are the keys of conf/tracking/mlflow.yaml.
    """

    def __init__(
        self,
        uri: str | None = None,
        experiment: str = "sentexp",
        run_name: str | None = None,
        log_model: bool = True,
        register: str | None = None,
        system_metrics: bool = True,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        self._uri = uri
        self._experiment = experiment
        self._run_name = run_name
        self._log_model = log_model
        self._register = register
        self._system_metrics = system_metrics
        self._tags = dict(tags or {})

    @contextmanager
    def run(
        self,
        *,
        parent_run_id: str | None = None,
        name: str | None = None,
        key: str | None = None,
        folder: Path | None = None,
        log_file: Path | None = None,
    ) -> Iterator[MlflowRun | JournaledRun]:
        """Start a run that ends with the block; see `Tracker.run`.

        An exception that fails the run is recorded as the tag `error` and the artifact traceback.txt. Raises
        SentexpError, within seconds, if the store cannot be used; see `open_store`.
        """
        if folder is not None:
            key = key or uuid.uuid4().hex
            refuse_another(folder, key)
        run = self.start(parent_run_id=parent_run_id, name=name, key=key)
        record: MlflowRun | JournaledRun = run
        try:
            measured: AbstractContextManager[None] = nullcontext()
            if folder is not None:
                send_waiting(run, folder)
                record = JournaledRun(run, folder, self._begun(run, parent_run_id, name, key))
                if self._system_metrics:
                    measured = system_metrics(run.uri, run.run_id, goes_on=run.goes_on())
            with measured:
                yield record
        except BaseException as error:
            _end_with(record, error, log_file)
            raise
        record.end("FINISHED", log_file)

    def start(self, *, parent_run_id: str | None = None, name: str | None = None, key: str | None = None) -> MlflowRun:
        """Start a run, or continue the one that was started with `key`; the caller ends it."""
        with terminal.status("opening the MLflow store"):
            store = open_store(self._uri, self._experiment)
        tags = {"mlflow.user": user(), "mlflow.source.name": program(), "mlflow.source.type": "LOCAL"}
        tags |= {PROCESS: process_name(), **{name: str(value) for name, value in self._tags.items()}}
        if parent_run_id is not None:
            tags["mlflow.parentRunId"] = parent_run_id
        with writing(store.uri):
            _end_killed(store)
            before = _reopened(store, key) if key is not None else None
            entity = before
            if entity is None:
                tags |= {KEY: key} if key is not None else {}
                entity = store.client.create_run(
                    store.experiment_id, tags=tags, run_name=_run_name(self._run_name or name)
                )
        return MlflowRun(store, self._experiment, entity, self._log_model, self._register, before is not None)

    def _begun(
        self, run: MlflowRun, parent_run_id: str | None, name: str | None, key: str | None
    ) -> dict[str, dict[str, Any]]:
        """Return what `start` and the constructor need to continue the run, or to start it anew in another store."""
        tracker: dict[str, Any] = {"uri": run.uri, "experiment": self._experiment, "run_name": self._run_name}
        tracker |= {"log_model": self._log_model, "register": self._register, "tags": self._tags}
        tracker = without_passwords(tracker)
        return {"tracker": tracker, "run": {"parent_run_id": parent_run_id, "name": name, "key": key}}


def _end_killed(store: Store) -> None:
    """Set the runs of this experiment that seem to run, but whose process on this machine is no more, to KILLED."""
    for run in store.client.search_runs([store.experiment_id], "attributes.status = 'RUNNING'"):
        if has_ended(run.data.tags.get(PROCESS, "")):
            store.client.set_tag(run.info.run_id, "error", "its process was killed")
            store.client.set_terminated(run.info.run_id, "KILLED")


def _reopened(store: Store, key: str) -> Entity | None:
    """Set the run that was started with `key` to RUNNING again, and return it; None if there is none."""
    found = store.client.search_runs([store.experiment_id], f"tags.`{KEY}` = '{key}'", max_results=1)
    if not found:
        return None
    run_id = found[0].info.run_id
    store.client.update_run(run_id, status="RUNNING")
    store.client.set_tag(run_id, PROCESS, process_name())
    if "error" in found[0].data.tags:
        store.client.delete_tag(run_id, "error")
    return found[0]


def _end_with(run: MlflowRun | JournaledRun, error: BaseException, log_file: Path | None) -> None:
    """Record why the run ended. A failure of this must not hide `error`, so it is only logged."""
    killed = isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
    try:
        with brief_patience():
            if not killed:
                run.set_tags({"error": str(error) or type(error).__name__})
                run.log_text(without_passwords("".join(traceback.format_exception(error))), "traceback.txt")
            run.end("KILLED" if killed else "FAILED", log_file)
    except SentexpError as second:
        log.warning("the run may look unfinished: %s", second)


def _run_name(name: str | None) -> str | None:
    """Return `name` as a run's name; None, for which MLflow makes one up, stays None."""
    return without_passwords(name)[:LONGEST_NAME] if name is not None else None
