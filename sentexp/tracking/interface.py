"""What every tracker offers, so that the runner need not know which one it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Location:
    """Where a run can be looked at. All of it is safe to print: passwords are left out."""

    uri: str
    experiment: str
    experiment_id: str
    run_name: str
    run_id: str
    ui_command: str
    """The shell command that opens MLflow's pages on exactly this store."""


class Run(Protocol):
    """One run while it lasts."""

    def log_config(self, config: Mapping[str, Any], overrides: Sequence[str] = ()) -> None:
        """Every leaf of the nested `config` as a parameter; it and the overrides as config/*.yaml too."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Facts known once and not measured, such as sizes of the vocabulary."""

    def log_dataset(self, name: str, split: str, digest: str, source: str, rows: int) -> None:
        """What the run read: the split (train, valid, test) of a data set, with the digest of its content."""

    def log_environment(self, environment: Mapping[str, Any]) -> None:
        """What `sentexp.tracking.environment.describe` says, as tags and as environment.json."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """All of an epoch's metrics in one call; `step` is the epoch, from 1."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Words by which runs are found again."""

    def log_text(self, text: str, file: str) -> None:
        """`text` as the artifact `file`, which may name folders."""

    def log_folder(self, folder: Path, name: str) -> None:
        """Everything in `folder` as artifacts under `name`."""

    def log_model(self, folder: Path) -> str | None:
        """The folder that TrainedModel.save wrote, as an MLflow model. Returns its URI; None if models are not kept."""

    def end_child(self, run_id: str, reason: str) -> None:
        """Says of a child run that it failed: FAILED, or KILLED if it could not end itself; `reason` as tag `error`."""

    def add_failed_child(self, name: str, reason: str) -> None:
        """A child run for what failed before it could start one."""

    def end_children(self, reason: str) -> None:
        """Ends every child run that still seems to run, as KILLED."""

    def location(self) -> Location | None:
        """None if the run is recorded nowhere."""


class Tracker(Protocol):
    def run(
        self, *, parent_run_id: str | None = None, name: str | None = None, key: str | None = None
    ) -> AbstractContextManager[Run]:
        """A run that ends with the block: FINISHED, FAILED by an exception, or KILLED by Ctrl-C or exit.

        With a `key`, the run that was once started with the same key goes on, if there is one. `name` is what it is
        called if the configuration gives it no name.
        """
