"""Finds recorded runs and their models again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sentexp.errors import SentexpError, did_you_mean, one_line
from sentexp.machine.identity import has_ended
from sentexp.redact import without_passwords
from sentexp.tracking.interface import PROCESS
from sentexp.tracking.logged_model import FOLDER, TYPE, newest_model
from sentexp.tracking.store import existing_client, explained

if TYPE_CHECKING:
    from mlflow.entities import Run

PER_PAGE = 1000
"""Runs that are asked for at a time."""

LISTED = 5
"""Candidates that a message names."""


@dataclass(frozen=True)
class RecordedRun:
    """A run in an MLflow store that has recorded a model."""

    run_id: str
    name: str
    experiment: str
    started: datetime
    model_id: str | None
    """MLflow's id of the model; None if the run has none."""
    status: str
    """FINISHED, FAILED, KILLED or RUNNING."""
    output: Path | None = None
    """The run's output folder, on the machine where it ran."""
    process: str = ""
    """The process that records it; see `identity.process_name`."""

    def __str__(self) -> str:
        state = "" if self.status == "FINISHED" else f" {self.status}"
        return f"{self.run_id[:8]} {self.name} ({self.experiment}, {self.started:%Y-%m-%d %H:%M}{state})"


class RecordedRuns:
    """The runs of a store, in one experiment or in all. Nothing is created in it.

    Where runs are not asked for by name, those with a model of one of `types` are meant. `uri` is tracking.uri; None
    takes MLFLOW_TRACKING_URI, or mlflow.db in the current folder. The constructor and all methods raise SentexpError
    for a store or experiment that is not there.
    """

    def __init__(self, uri: str | None = None, experiment: str | None = None, types: Sequence[str] = (TYPE,)) -> None:
        self._types = types
        self._client, self._uri = existing_client(uri)
        with explained(self._uri):
            names = {one.experiment_id: one.name for one in self._client.search_experiments()}
        if experiment is not None:
            known = list(names.values())
            names = {number: name for number, name in names.items() if name == experiment}
            if not names:
                where = without_passwords(self._uri)
                raise SentexpError(f"{experiment}: no such experiment in {where}{did_you_mean(experiment, known)}")
        self._experiments = names

    def latest(self) -> RecordedRun:
        """Return the run that was started last, among those that have finished and have a model."""
        for run in self._with_model(["attributes.start_time DESC"]):
            return run
        raise self._nothing()

    def best(self, metric: str) -> RecordedRun:
        """Return the run with the best `metric`, among those with a model: the lowest loss, the highest of others."""
        direction = "ASC" if "loss" in metric else "DESC"
        for run in self._with_model([f"metrics.`{metric}` {direction}"], metric):
            return run
        raise SentexpError(f"best: no finished run with a model has the metric {metric}; expected another --metric")

    def named(self, text: str) -> list[RecordedRun]:
        """Return the runs whose id begins with `text`, or else those of this name, the newest first."""
        if re.fullmatch(r"[0-9a-f]{4,32}", text):
            found = list(self._search(f"attributes.run_id LIKE '{text}%'", ["attributes.start_time DESC"]))
            if found:
                return found
        quote = "'" if '"' in text else '"'
        if quote in text:
            raise SentexpError(f"{text}: MLflow cannot be asked for a name with both kinds of quotes; expected an id")
        return list(self._search(f"attributes.run_name = {quote}{text}{quote}", ["attributes.start_time DESC"]))

    def newest(self) -> list[RecordedRun]:
        """Return a few runs with a model, the newest first."""
        found = []
        for run in self._with_model(["attributes.start_time DESC"]):
            found.append(run)
            if len(found) == LISTED:
                break
        return found

    def stopped(self) -> Iterator[RecordedRun]:
        """Yield the runs that were stopped before their end, the newest first; not those whose process lives."""
        for run in self._search("attributes.status != 'FINISHED'", ["attributes.start_time DESC"]):
            if run.status != "RUNNING" or has_ended(run.process):
                yield run

    def by_uri(self, uri: str) -> RecordedRun:
        """Return the run of runs:/ID/..., models:/NAME@ALIAS, models:/NAME/VERSION or models:/MODEL_ID."""
        from mlflow.exceptions import MlflowException

        scheme, _, rest = uri.partition(":/")
        rest = rest.strip("/")
        try:
            if scheme == "runs":
                return self._entry(self._client.get_run(rest.split("/")[0]))
            model_id = self._model_id(rest)
            run_id = self._client.get_logged_model(model_id).source_run_id
            return replace(self._entry(self._client.get_run(str(run_id))), model_id=model_id)
        except MlflowException as error:
            where = without_passwords(self._uri)
            raise SentexpError(f"{uri}: not found in {where} ({one_line(error)})") from error

    def model_folder(self, run: RecordedRun) -> Path:
        """Return the folder that `load_predictor` takes, downloaded if the artifacts are not on this machine.

        Raises SentexpError for a run without a model.
        """
        import mlflow.artifacts

        if run.model_id is None:
            raise SentexpError(f"{run}: has recorded no model; expected a run that ended well, with log_model=true")
        with explained(self._uri):
            location = self._client.get_logged_model(run.model_id).artifact_location
            return Path(mlflow.artifacts.download_artifacts(f"{location}/{FOLDER}", tracking_uri=self._uri))

    def _model_id(self, rest: str) -> str:
        """Return the id of the model that NAME@ALIAS, NAME/VERSION or the id itself names."""
        name, at, alias = rest.rpartition("@")
        if at:
            version = self._client.get_model_version_by_alias(name, alias)
        elif "/" in rest:
            version = self._client.get_model_version(*rest.split("/", 1))
        else:
            return rest
        return version.model_id or str(version.source).removeprefix("models:/")

    def _with_model(self, order: Sequence[str], metric: str | None = None) -> Iterator[RecordedRun]:
        for run in self._search("attributes.status = 'FINISHED'", order, metric):
            if run.model_id is not None and self._is_ours(run.model_id):
                yield run

    def _is_ours(self, model_id: str) -> bool:
        """Return False for a model of another type, or of another program in the same store."""
        with explained(self._uri):
            return self._client.get_logged_model(model_id).model_type in self._types

    def _search(self, condition: str, order: Sequence[str], metric: str | None = None) -> Iterator[RecordedRun]:
        token = None
        while True:
            with explained(self._uri):
                page = self._client.search_runs(
                    list(self._experiments), condition, max_results=PER_PAGE, order_by=list(order), page_token=token
                )
            for run in page:
                if metric is None or metric in run.data.metrics:
                    yield self._entry(run)
            token = page.token
            if not token:
                return

    def _entry(self, run: Run) -> RecordedRun:
        return RecordedRun(
            run_id=run.info.run_id,
            name=run.info.run_name,
            experiment=self._experiments.get(run.info.experiment_id, run.info.experiment_id),
            started=datetime.fromtimestamp(run.info.start_time / 1000),
            model_id=newest_model(run),
            status=run.info.status,
            process=run.data.tags.get(PROCESS, ""),
            output=Path(run.data.tags["output"]) if "output" in run.data.tags else None,
        )

    def _nothing(self) -> SentexpError:
        where = without_passwords(self._uri)
        return SentexpError(f"latest: {where} has no finished run with a model; expected a run of `sentexp` first")
