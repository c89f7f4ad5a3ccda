"""`sentexp export RUN`: a trained model as a file that runs without sentexp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sentexp import terminal
from sentexp.cli.run_options import load, new_folder, run_options
from sentexp.errors import SentexpError, nearest_path


@click.command()
@click.argument("run")
@click.option(
    "--to",
    type=click.Choice(["onnx", "torch"]),
    required=True,
    help="onnx: for ONNX Runtime and other engines (extra `onnx`). torch: TorchScript, for PyTorch and libtorch.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    required=True,
    callback=new_folder,
    help="A new folder for the program, with vocabulary, labels, example.py and README.txt.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Texts, one per line, by which the program is compared with the model; else built-in ones.",
)
@run_options
def command(run: str, to: str, output: Path, check: Path | None, **found_by: Any) -> None:
    """Write a trained model as a file that runs without sentexp.

    RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`. The program takes token ids and lengths of any number of reviews and gives probabilities.

    \b
      sentexp export latest --to onnx --output exported
      sentexp export best --to torch --output exported --check reviews.txt

    It is compared with the model, and is left out if a probability differs by more than 1e-5.
    """  # fmt: skip
    texts = None if check is None else _lines(check)
    trained = load(run, **found_by)
    with terminal.status(f"exporting to {to}"):
        from sentexp.use.exporting import SENTENCES, export

        exported = export(trained, to, output, SENTENCES if texts is None else texts)
    print(f"{exported.file}: greatest difference {exported.difference:.1e} on {exported.texts:,} texts")
    print(f"how to use it: {output / 'README.txt'}, {output / 'example.py'}")


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise SentexpError(
            f"--check {file}: byte {error.start:,} is not UTF-8; expected a text file in UTF-8"
        ) from None
    except OSError as error:
        raise SentexpError(f"--check {file}: {error.strerror}{nearest_path(str(file))}") from None
    if not lines:
        raise SentexpError(f"--check {file}: empty; expected one text per line")
    return lines
