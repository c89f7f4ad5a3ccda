"""A run in an MLflow store: what is recorded of it, in the names and sizes that MLflow takes."""

from __future__ import annotations

import getpass
import json
import logging
import os
import posixpath
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sentexp.machine.signals import interrupts_later
from sentexp.model_folder import model_digest
from sentexp.redact import flatten, without_passwords
from sentexp.schema import PATHS
from sentexp.tracking.environment import program
from sentexp.tracking.interface import NOT_PARAMETERS, Location
from sentexp.tracking.pages import page, ui_command
from sentexp.tracking.store import Store, explained

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.entities import Run as Entity

log = logging.getLogger(__name__)

# MLflow's limits, in characters and entries
LONGEST_NAME = 250
LONGEST_PARAM = 6000
LONGEST_TAG = 5000
LONGEST_DIGEST = 36
PARAMS_PER_CALL = 100
METRICS_PER_CALL = 1000

CUT = "... (cut; see config/config.yaml)"
"""End of a value that was too long for MLflow."""

MODEL_DIGEST = "sentexp.model"
"""Tag with the digest of the model that the run has recorded."""

CONTEXTS = {"train": "train", "valid": "validation", "test": "test"}
"""MLflow's name for what each split is used for."""


class MlflowRun:
    """A run that has been started. Its methods raise SentexpError if the store refuses what they record."""

    def __init__(
        self,
        store: Store,
        experiment: str,
        entity: Entity,
        keep_model: bool,
        register: str | None = None,
        goes_on: bool = False,
    ) -> None:
        self._store = store
        self._client = store.client
        self._experiment = experiment
        self._entity = entity
        self._keep_model = keep_model
        self._register = register
        self._goes_on = goes_on
        self._params: dict[str, str] = dict(entity.data.params)
        self._datasets: dict[str, tuple[str, str]] = {}
        self._model_id: str | None = None
        self.run_id: str = entity.info.run_id
        self.uri = store.uri
        """Absolute address of the store, with its password."""

    def log_config(
        self, config: Mapping[str, Any], overrides: Sequence[str] = (), choices: Mapping[str, str] | None = None
    ) -> None:
        config, overrides = without_passwords(config), without_passwords(list(overrides))
        params = flatten({key: value for key, value in config.items() if key not in NOT_PARAMETERS})
        # a group may have the name of a leaf, such as that of an option without keys; MLflow takes a name once
        self.log_params(
            params | {group: option for group, option in (choices or {}).items() if group not in NOT_PARAMETERS}
        )
        self.log_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), "config/config.yaml")
        self.log_text(yaml.safe_dump(overrides, allow_unicode=True), "config/overrides.yaml")

    def log_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        flat = flatten(without_passwords(params))
        self.set_tags({key: value for key, value in flat.items() if key in PATHS})
        flat = {_name(key): _at_most(value, LONGEST_PARAM, key) for key, value in flat.items() if key not in PATHS}
        self._params |= flat
        with writing(self._store.uri):
            for some in _chunks([Param(key, value) for key, value in flat.items()], PARAMS_PER_CALL):
                self._client.log_batch(self.run_id, params=some)

    def log_dataset(self, name: str, split: str, digest: str, source: str, rows: int) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        described = _json({"split": split, "rows": rows, "digest": digest})
        self._datasets[split] = (name, digest[:LONGEST_DIGEST])
        dataset = Dataset(
            name=name,
            digest=digest[:LONGEST_DIGEST],
            source_type="sentexp",
            source=_json({"source": without_passwords(source)}),
            profile=described,
        )
        context = InputTag("mlflow.data.context", CONTEXTS.get(split, split))
        # why the lock: two runs that record the same new dataset at the same time collide in the database
        with writing(self._store.uri), self._store.alone():
            self._client.log_inputs(self.run_id, [DatasetInput(dataset, [context])])

    def log_environment(self, environment: Mapping[str, Any]) -> None:
        self.set_tags(environment)
        commit = environment.get("git", {}).get("commit")
        if commit is not None:
            self.set_tags({"mlflow.source.git.commit": commit})
        self.log_text(_json(environment, indent=2) + "\n", "environment.json")

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, at: int | None = None) -> None:
        from mlflow.entities import Metric

        now = at if at is not None else int(time.time() * 1000)
        model_id = self._model_id if step is None else None  # the model's own page shows the final figures as well

        def point(name: str, value: float) -> Metric:
            dataset, digest = self._datasets.get(name.split("/")[0], (None, None)) if model_id else (None, None)
            # why 0: MLflow's pages draw a bar for a metric without a step beyond it, and else a line, here of one point
            return Metric(_name(name), float(value), now, step or 0, model_id, dataset, digest)

        self._log_points([point(name, value) for name, value in metrics.items()])

    def log_points(self, name: str, points: Sequence[tuple[int, float, int]]) -> None:
        from mlflow.entities import Metric

        self._log_points([Metric(_name(name), value, at, step) for step, value, at in points])

    def _log_points(self, points: list[Metric]) -> None:
        with writing(self._store.uri):
            for some in _chunks(points, METRICS_PER_CALL):
                self._client.log_batch(self.run_id, metrics=some)

    def goes_on(self) -> bool:
        return self._goes_on

    def last_step(self, name: str) -> int:
        with writing(self._store.uri):
            return max((point.step for point in self._client.get_metric_history(self.run_id, _name(name))), default=0)

    def describe(self, text: str) -> None:
        self.set_tags({"mlflow.note.content": text})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        flat = {
            _name(key): _at_most(value, LONGEST_TAG, key) for key, value in flatten(without_passwords(tags)).items()
        }
        with writing(self._store.uri):
            for some in _chunks([RunTag(key, value) for key, value in flat.items()], PARAMS_PER_CALL):
                self._client.log_batch(self.run_id, tags=some)

    def log_text(self, text: str, file: str) -> None:
        with writing(self._store.uri):
            self._client.log_text(self.run_id, text, file)

    def log_folder(self, folder: Path, name: str) -> None:
        with writing(self._store.uri):
            self._client.log_artifacts(self.run_id, str(folder), name)

    def log_model(self, folder: Path) -> str | None:
        """Record the model as `sentexp.tracking.logged_model` does; MLflow finds it as runs:/RUN_ID/model too."""
        if not self._keep_model:
            return None
        from sentexp.tracking.logged_model import log_model

        with writing(self._store.uri):
            uri = log_model(self._client, self._entity.info.experiment_id, self.run_id, self._params, folder)
        self._model_id = uri.removeprefix("models:/")
        self.set_tags({MODEL_DIGEST: model_digest(folder)})
        self.register_model()
        return uri

    def has_model(self, folder: Path) -> bool:
        """Return True if the run has recorded the model in `folder`, and not one of an earlier epoch."""
        from sentexp.tracking.logged_model import newest_model

        with writing(self._store.uri):
            run = self._client.get_run(self.run_id)
        recorded = newest_model(run)
        if recorded is None or run.data.tags.get(MODEL_DIGEST) != model_digest(folder):
            return False
        self._model_id = recorded
        return True

    def register_model(self) -> None:
        """Make the recorded model a version of the registered one, unless it is one already."""
        if self._register is None or self._model_id is None:
            return
        from sentexp.tracking.logged_model import register

        with writing(self._store.uri):
            register(self._client, self._store.uri, self._register, self._model_id, self.run_id)

    def end(self, status: str, log_file: Path | None) -> None:
        """Set the run's final status, FINISHED, FAILED or KILLED, and record the file with its log."""
        with writing(self._store.uri):
            self._client.set_terminated(self.run_id, status)
            if log_file is not None and log_file.is_file():
                self._client.log_artifact(self.run_id, str(log_file))

    def end_child(self, run_id: str, reason: str) -> None:
        from mlflow.entities import RunStatus

        with writing(self._store.uri):
            status = self._client.get_run(run_id).info.status
            if status in ("FAILED", "KILLED"):  # the child has recorded its end itself
                return
            self._client.set_tag(run_id, "error", _at_most(without_passwords(reason), LONGEST_TAG, "error"))
            ended = RunStatus.is_terminated(RunStatus.from_string(status))
            self._client.set_terminated(run_id, "FAILED" if ended else "KILLED")

    def add_failed_child(self, name: str, reason: str) -> None:
        tags = {"mlflow.parentRunId": self.run_id, "mlflow.user": user(), "mlflow.source.name": program()}
        tags["error"] = _at_most(without_passwords(reason), LONGEST_TAG, "error")
        with writing(self._store.uri):
            entity = self._client.create_run(self._entity.info.experiment_id, tags=tags, run_name=name)
            self._client.set_terminated(entity.info.run_id, "FAILED")

    def end_children(self, reason: str) -> None:
        running = f"tags.`mlflow.parentRunId` = '{self.run_id}' and attributes.status = 'RUNNING'"
        with writing(self._store.uri):
            while found := self._client.search_runs([self._entity.info.experiment_id], running):
                for child in found:
                    self._client.set_tag(child.info.run_id, "error", reason)
                    self._client.set_terminated(child.info.run_id, "KILLED")

    def location(self) -> Location:
        info = self._entity.info
        return Location(
            uri=without_passwords(self._store.uri),
            experiment=self._experiment,
            experiment_id=info.experiment_id,
            run_name=info.run_name,
            run_id=info.run_id,
            ui_command=ui_command(self._store.uri, info.experiment_id, info.run_id),
            page=page(self._store.uri, info.experiment_id, info.run_id),
        )


@contextmanager
def writing(uri: str) -> Iterator[None]:
    """Put off interrupts, so that no write is cut in two, and explain errors of the store."""
    with interrupts_later(), explained(uri):
        yield


def user() -> str:
    """Return the name of who runs this process, as MLflow shows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container whose user has no name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def _name(key: str) -> str:
    """Return `key` as MLflow accepts it: as a path without `..`, of few kinds of characters."""
    key = re.sub(r"[^\w\-. :/]", "_", key)
    if posixpath.normpath(key) != key or key.startswith(("/", "..")):
        key = key.replace("/", "_")
    return key[:LONGEST_NAME]


def _at_most(value: str, longest: int, key: str) -> str:
    """Cut `value` to `longest` characters; if it is longer, the log says so."""
    if len(value) <= longest:
        return value
    log.warning("%s: %d characters, of which MLflow keeps %d", key, len(value), longest)
    return value[: longest - len(CUT)] + CUT


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
