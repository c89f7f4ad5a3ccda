"""The interface of a tracker and of its runs; the runner uses any tracker through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PARENT_RUN_ID_VARIABLE = "SENTEXP_PARENT_RUN_ID"
"""Environment variable that tells a run the id of the run that it belongs to."""

PROCESS = "sentexp.process"
"""Tag with the process that records a run, by which one that was killed is known."""

NOT_PARAMETERS = ("cache_dir", "shapes", "sweep", "tracking")
"""Keys and groups that say where and how a run is made and recorded, not what it is."""


@dataclass(frozen=True)
class Location:
    """Where a run can be looked at. All fields are safe to print: passwords are left out."""

    uri: str
    experiment: str
    experiment_id: str
    run_name: str
    run_id: str
    ui_command: str
    """Shell command that opens MLflow's pages on this store."""
    page: str
    """Address of the run's own page, once `ui_command` runs."""

    def lines(self) -> list[str]:
        """Return the lines that say how to look at the run; the last one ends in the address of its page."""
        command = f"look at it: {self.ui_command}"
        return [command] if self.page in self.ui_command else [command, f"then open: {self.page}"]


class Run(Protocol):
    """A run that has been started and has not ended."""

    def log_config(
        self, config: Mapping[str, Any], overrides: Sequence[str] = (), choices: Mapping[str, str] | None = None
    ) -> None:
        """Record each leaf of the nested `config` as a parameter, and `config` and the overrides as config/*.yaml.

        `choices`, the option of each group, are parameters too, such as model: lstm beside model.hidden_size: 128.
        Paths are tags, as with `log_params`; NOT_PARAMETERS are only in the files.
        """

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record what was asked for as parameters, by which runs are compared.

        Keys in `schema.PATHS` become tags of the same name: a path says where the data is, not what it is.
        """

    def log_dataset(self, name: str, split: str, digest: str, source: str, rows: int) -> None:
        """Record that the run uses a split (train, valid, test) of dataset `name`; `digest` identifies its content."""

    def log_environment(self, environment: Mapping[str, Any]) -> None:
        """Record the result of `sentexp.tracking.environment.describe` as tags and as environment.json."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, at: int | None = None) -> None:
        """Record all metrics of an epoch in one call; `step` is the epoch, from 1, or None for those of the run.

        `at` is when they were measured, in milliseconds since 1970; None is now.
        """

    def log_points(self, name: str, points: Sequence[tuple[int, float, int]]) -> None:
        """Record several points of one metric: step, value, and when, in milliseconds since 1970."""

    def goes_on(self) -> bool:
        """Return True if the store has the run from before; False if it is new there."""

    def last_step(self, name: str) -> int:
        """Return the largest step for which a metric is recorded; 0 if none is."""

    def describe(self, text: str) -> None:
        """Set what stands at the head of the run's page, in Markdown."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, such as counts and reasons in words; those of the same name are replaced."""

    def log_text(self, text: str, file: str) -> None:
        """Record `text` as the artifact `file`, a path that may contain folders."""

    def log_folder(self, folder: Path, name: str) -> None:
        """Record all files in `folder` as artifacts under `name`."""

    def log_model(self, folder: Path) -> str | None:
        """Record the folder of a trained model or an ensemble as an MLflow model.

        Returns the model's URI, or None if models are not recorded.
        """

    def end_child(self, run_id: str, reason: str) -> None:
        """Record that a child run failed, with `reason` as its tag `error`.

        Its status becomes FAILED, or KILLED if it still seems to run. A child that has recorded its own failure keeps
        what it recorded.
        """

    def add_failed_child(self, name: str, reason: str) -> None:
        """Add a FAILED child run for a job that failed before it could start its own."""

    def end_children(self, reason: str) -> None:
        """End every child run that still seems to run, as KILLED."""

    def location(self) -> Location | None:
        """Return where the run can be looked at; None if it is not recorded."""


class Tracker(Protocol):
    """Starts runs; the `_target_` of an option of the group tracking."""

    def run(
        self,
        *,
        parent_run_id: str | None = None,
        name: str | None = None,
        key: str | None = None,
        folder: Path | None = None,
        log_file: Path | None = None,
    ) -> AbstractContextManager[Run]:
        """Start a run that ends with the block: FINISHED, FAILED by an exception, or KILLED by Ctrl-C or exit.

        With a `key`, the run that was started with the same key before is continued, if there is one; what waits in
        `folder` to be recorded of it is recorded first. `name` is the
        run's name if the configuration gives none. `log_file` is recorded at the end, however the run ends.

        With a `folder`, the run's own, a store that fails after the start does not fail the run: what it has not taken
        is kept there, and sent when it answers again, or by `sentexp record FOLDER`.
        """
