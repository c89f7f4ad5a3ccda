"""The argument RUN and the options by which every command finds its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sentexp import terminal

Function = TypeVar("Function", bound=Callable[..., Any])

RUN_HELP = """RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder,
`latest`, or `best`."""


def run_options(function: Function) -> Function:
    """Give a command the options --tracking-uri, --experiment, --metric and --trust."""
    for option in (
        click.option(
            "--trust", is_flag=True, help="Run code outside of sentexp that RUN names, such as your own model."
        ),
        click.option("--metric", metavar="NAME", default="best/valid_accuracy", help="By what `best` chooses."),
        click.option("--experiment", metavar="NAME", help="Look for RUN in this experiment only."),
        click.option("--tracking-uri", metavar="URI", help="MLflow's store; else MLFLOW_TRACKING_URI or mlflow.db."),
    ):
        function = option(function)
    return function


def load(run: str, tracking_uri: str | None, experiment: str | None, metric: str, trust: bool) -> Any:
    """Return the TrainedModel of RUN."""
    with terminal.status("loading the model"):
        from sentexp.use import runs

        return runs.load(run, tracking_uri=tracking_uri, experiment=experiment, metric=metric, trust=trust)
