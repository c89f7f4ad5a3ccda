"""`sentexp data key=value ...`: what the data is like, and what looks wrong with it."""

from __future__ import annotations

from pathlib import Path

import click

from sentexp import terminal
from sentexp.cli.run_options import new_folder
from sentexp.errors import SentexpError, nearest_path


@click.command()
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    callback=new_folder,
    help="Also write to a new folder: a page (data.html), its pictures and tables (csv).",
)
@click.option(
    "--config-dir", type=click.Path(path_type=Path), metavar="FOLDER", help="Folder with YAML files of your own."
)
@click.option("--strict", is_flag=True, help="End with status 1 if there is a warning.")
def command(overrides: tuple[str, ...], output: Path | None, config_dir: Path | None, strict: bool) -> int:
    """Show what the reviews are like before a model is trained on them, and warn of what looks wrong.

    The keys are those of training; of them, data, tokenizer, vocab, text and the balance of trainer count.

    \b
      sentexp data
      sentexp data data=files data.path=reviews.csv data.text_column=review
      sentexp data experiment=imdb --output report

    Printed are sizes, labels and lengths, texts that occur twice, the words that set each label apart, what cleaning
    and tokenizer make of some reviews, and each warning in one line with the key that mends it; !! marks those that
    training prints too.
    """  # fmt: skip
    from sentexp.config import compose

    if config_dir is not None and not config_dir.is_dir():
        raise SentexpError(f"--config-dir {config_dir}: no such folder{nearest_path(str(config_dir))}")
    own = [] if config_dir is None else [f"hydra.searchpath=['file://{config_dir.absolute()}']"]
    config = compose(*own, *overrides)
    with terminal.status("loading PyTorch"):
        from sentexp import messages, runner
        from sentexp.failures import failure_explained
        from sentexp.report.data.terminal import print_inspection

    with messages.shown(), failure_explained(config):
        inspection = runner.inspect(config)
    print_inspection(inspection, terminal.console())
    if output is not None:
        from sentexp.report.data.folder import write_data_report

        write_data_report(inspection, output)
        print(f"\nreport: {output / 'data.html'}")
    return 1 if strict and inspection.findings else 0
