"""`sentexp evaluate RUN`: judge a trained model on labelled reviews, in more detail than training does."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sentexp import terminal
from sentexp.cli.run_options import data_options, find_and_load, run_options
from sentexp.schema import THRESHOLD_METRICS


@click.command()
@click.argument("run")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--threshold-for",
    type=click.Choice(THRESHOLD_METRICS),
    default="accuracy",
    show_default=True,
    help="Metric for which the threshold between two labels is chosen.",
)
@click.option("--no-record", is_flag=True, help="Leave MLflow as it is.")
@data_options
@run_options
def command(
    run: str,
    overrides: tuple[str, ...],
    threshold_for: str,
    no_record: bool,
    output: Path | None,
    config_dir: Path | None,
    **found_by: Any,
) -> None:
    """Judge a trained model on the test reviews of its run, or of other data.

    RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`. The data are the run's own, unless keys of data say otherwise; evaluation, trainer.device and
    trainer.precision can be given, too.

    \b
      sentexp evaluate latest
      sentexp evaluate best --threshold-for f1
      sentexp evaluate 3f2a data=files data.path=new.csv 'data.label_map={1: negative, 5: positive}'

    Metrics have bootstrap intervals. Slices, with Wilson's intervals, show where the model is better or worse. A
    temperature that mends the probabilities, and the best threshold between two labels, are chosen on the validation
    reviews of these data, never on test. The report goes to a folder under outputs/, and, as a child run of RUN, to
    MLflow.
    """  # fmt: skip
    found, trained = find_and_load(run, **found_by)
    with terminal.status("loading the evaluation"):
        from sentexp import messages
        from sentexp.tracking.none import NoTracking
        from sentexp.use.evaluating import evaluate
        from sentexp.use.evaluation_report import print_evaluation, write_evaluation
        from sentexp.use.judging import load_reviews
        from sentexp.use.recorded_config import composed_over
        from sentexp.use.recording import child_of, log_data, log_overlap

    config = composed_over(trained.config, overrides, config_dir, trust=trained.trusted)
    folder = output or Path("outputs", f"{datetime.now():%Y-%m-%d/%H-%M-%S.%f}-evaluate")
    name = " ".join(["evaluate", *overrides])
    tracking = NoTracking().run() if no_record else child_of(found, found_by["tracking_uri"], name)
    with tracking as record, messages.shown():
        reviews = load_reviews(config)
        log_data(record, config, overrides, reviews, name="data")
        with terminal.status("evaluating"):
            evaluated = evaluate(trained, reviews, config, threshold_for)
        print_evaluation(evaluated, terminal.console())
        with terminal.status("writing the report"):
            write_evaluation(evaluated, found.name, reviews, config, folder)
            record.log_metrics(evaluated.recorded_metrics())
            log_overlap(record, evaluated.overlap)
            record.log_folder(folder, "reports")
        location = record.location()
    print(f"report: {folder} (evaluation.html, mistakes.html, metrics.csv, slices.csv, predictions.csv)")
    if location is not None:
        print(f"recorded as a child of {found.name}: run {location.run_id}")
    elif not no_record:
        print("not recorded: RUN is a folder, not a run in MLflow")
