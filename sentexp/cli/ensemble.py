"""`sentexp ensemble RUN RUN ...`: the mean of several models' probabilities, as a model and a run of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sentexp import terminal
from sentexp.cli.run_options import data_options, run_options


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN RUN... [KEY=VALUE]...")
@click.option(
    "--weights",
    default="valid",
    show_default=True,
    metavar="valid|equal|W,W...",
    help="valid: those with the lowest loss on the validation reviews; or a number for each RUN.",
)
@click.option("--no-record", is_flag=True, help="Leave MLflow as it is.")
@data_options
@run_options
def command(
    runs: tuple[str, ...],
    weights: str,
    no_record: bool,
    output: Path | None,
    config_dir: Path | None,
    metric: str | None,
    **found_by: Any,
) -> None:
    """Average the probabilities of trained models, and judge the mean on their test reviews.

    RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`. Kinds of models, tokenizers and vocabularies may differ; labels, validation and test reviews must be the
    same. Keys of data and evaluation, trainer.device and trainer.precision are as for `sentexp evaluate`, for all RUN.

    \b
      sentexp ensemble latest best
      sentexp ensemble 3f2a 90be 17cc --weights equal
      sentexp ensemble 3f2a 90be --weights 0.7,0.3 --output both

    The ensemble is a run of its own, with the model and a report like that of `sentexp evaluate`; `sentexp predict`,
    `evaluate` and `compare` take it like any other RUN. The test reviews are read once the weights are chosen.
    """  # fmt: skip
    with terminal.status("loading the ensemble"):
        from sentexp.runs import METRIC
        from sentexp.use.ensembling import HEADS, ensemble
        from sentexp.use.evaluation_report import print_evaluation
        from sentexp.use.recorded_config import is_of_judging
        from sentexp.use.shown import print_lines, print_table

    result = ensemble(
        *(word for word in runs if not is_of_judging(word)),
        weights=weights,
        overrides=[word for word in runs if is_of_judging(word)],
        config_dir=config_dir,
        output_dir=output,
        record=not no_record,
        metric=METRIC if metric is None else metric,
        **found_by,
    )
    console = terminal.console()
    print_lines(console, "")
    print_table(console, HEADS, result.rows(), HEADS[1:])
    print_evaluation(result.evaluation, console)
    print(f"model: {result.model_folder}")
    print(f"report: {result.report} (evaluation.html, mistakes.html, members.csv, metrics.csv, predictions.csv ...)")
    if result.location is not None:
        print(f"recorded as run {result.location.run_id} of experiment {result.location.experiment}")
