"""The argument RUN and the options by which every command finds its model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sentexp import terminal
from sentexp.errors import SentexpError

if TYPE_CHECKING:
    from sentexp.runs import FoundRun
    from sentexp.trained_ensemble import Predictor

Function = TypeVar("Function", bound=Callable[..., Any])


def run_options(function: Function) -> Function:
    """Give a command the options --tracking-uri, --experiment, --metric and --trust."""
    for option in (
        click.option(
            "--trust", is_flag=True, help="Run code outside of sentexp that RUN names, such as your own model."
        ),
        click.option("--metric", metavar="NAME", help="By what `best` chooses; else the best validation accuracy."),
        click.option("--experiment", metavar="NAME", help="Look for RUN in this experiment only."),
        click.option("--tracking-uri", metavar="URI", help="MLflow's store; else MLFLOW_TRACKING_URI or mlflow.db."),
    ):
        function = option(function)
    return function


def load(run: str, tracking_uri: str | None, experiment: str | None, metric: str | None, trust: bool) -> Predictor:
    """Return the model of RUN."""
    return find_and_load(run, tracking_uri, experiment, metric, trust)[1]


def find_and_load(
    run: str, tracking_uri: str | None, experiment: str | None, metric: str | None, trust: bool
) -> tuple[FoundRun, Predictor]:
    """Return what RUN means, and its model."""
    with terminal.status("loading the model"):
        from sentexp.runs import METRIC, find_run
        from sentexp.trained_ensemble import load_predictor

        found = find_run(
            run, tracking_uri=tracking_uri, experiment=experiment, metric=METRIC if metric is None else metric
        )
        return found, load_predictor(found.folder, trust=trust)


def new_folder(context: click.Context, parameter: click.Parameter, folder: Path | None) -> Path | None:
    """Refuse a folder that holds something: it could be overwritten, or recorded with the report."""
    if folder is not None and any(place.is_file() for place in (folder, *folder.parents)):
        raise SentexpError(f"--output {folder}: expected a folder, found a file")
    if folder is not None and folder.is_dir() and any(folder.iterdir()):
        raise SentexpError(f"--output {folder}: holds files already; expected a new or an empty folder")
    return folder


def data_options(function: Function) -> Function:
    """Give a command the options --output and --config-dir, beside the overrides that choose its data."""
    for option in (
        click.option(
            "--output",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            callback=new_folder,
            help="Where the report goes: a new folder.",
        ),
        click.option(
            "--config-dir",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            metavar="FOLDER",
            help="Further options of the group data, as in training.",
        ),
    ):
        function = option(function)
    return function
