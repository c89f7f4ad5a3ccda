"""`sentexp compare RUN RUN ...`: trained models side by side on the same test reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sentexp import terminal
from sentexp.cli.run_options import data_options, find_and_load, run_options
from sentexp.errors import SentexpError
from sentexp.machine.temporary import temporary_folder


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN RUN... [KEY=VALUE]...")
@click.option("--record", is_flag=True, help="Keep the report in MLflow, as a run of its own.")
@data_options
@run_options
def command(runs: tuple[str, ...], record: bool, output: Path | None, config_dir: Path | None, **found_by: Any) -> None:
    """Compare trained models on the test reviews of the first one's run, or of other data.

    RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`. Each predicts with its own text pipeline; all must have the same labels. Keys of data and evaluation,
    trainer.device and trainer.precision are as for `sentexp evaluate`.

    \b
      sentexp compare latest best
      sentexp compare 3f2a 90be 17cc --output comparison
      sentexp compare latest best data=files data.path=new.csv --record

    Printed are the parameters that differ, metrics with bootstrap intervals, the difference to the first RUN with
    McNemar's exact test, and reviews on which they disagree. --output writes it all as a web page and as csv, with the
    texts of these reviews.
    """  # fmt: skip
    from sentexp.use.recorded_config import composed_over, is_of_judging

    overrides = [word for word in runs if is_of_judging(word)]
    named = [word for word in runs if not is_of_judging(word)]
    if len(named) < 2:
        raise SentexpError(f"compare: {len(named)} RUN; expected two or more, see sentexp compare --help")
    found = [find_and_load(run, **found_by) for run in named]
    with terminal.status("loading the comparison"):
        from sentexp import messages
        from sentexp.tracking.none import NoTracking
        from sentexp.use.comparing import compare
        from sentexp.use.comparison_report import print_comparison, write_comparison
        from sentexp.use.judging import load_reviews
        from sentexp.use.recording import log_data, run_about

    first = found[0][1]
    config = composed_over(first.config, overrides, config_dir, trust=first.trusted)
    where = found_by["tracking_uri"], found_by["experiment"]
    runs_found = [one for one, _ in found]
    tracking = run_about(runs_found, *where, what="compare", role="compared") if record else NoTracking().run()
    with tracking as recorded, messages.shown(), temporary_folder() as passing:
        reviews = load_reviews(config, ["test"])
        log_data(recorded, config, overrides, reviews, name="data")
        models = [(one.name, one.recorded.run_id if one.recorded else None, trained) for one, trained in found]
        with terminal.status("comparing"):
            compared = compare(models, reviews, config)
        print_comparison(compared, terminal.console())
        folder = output or passing
        if output is not None or record:
            write_comparison(compared, folder)
            recorded.log_folder(folder, "comparison")
        location = recorded.location()
    if output is not None:
        files = "comparison.html, metrics.csv, tests.csv, parameters.csv, disagreements.csv"
        print(f"report: {output} ({files})")
    if location is not None:
        print(f"recorded as run {location.run_id} of experiment {location.experiment}")
