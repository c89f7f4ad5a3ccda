"""`sentexp predict RUN`: label texts from the command line, from standard input or from a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentexp import terminal
from sentexp.cli.run_options import load, run_options
from sentexp.errors import SentexpError, nearest_path
from sentexp.lines import printable

if TYPE_CHECKING:
    from sentexp.trained_ensemble import Predictor
    from sentexp.use.predicting import Prediction

SHOWN_PROBLEMS = 10
"""Rows whose problem is printed; those that follow are only counted."""

BLOCK = 1 << 20
"""Bytes of standard input that are read at a time."""


@click.command()
@click.argument("run")
@click.argument("texts", nargs=-1)
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Predict the rows of a csv, tsv, json, parquet or txt file, also compressed.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where --input's rows go, with columns added: csv, tsv, jsonl or parquet, also compressed.",
)
@click.option(
    "--text-column",
    "text_columns",
    multiple=True,
    metavar="NAME",
    help="Column with the text; several are joined. By default as in training.",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of the input.")
@click.option("--delimiter", default="auto", show_default=True, help="As data.delimiter.")
@click.option("--quoting", default="auto", show_default=True, help="As data.quoting.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per text, with all probabilities.")
@run_options
def command(
    run: str,
    texts: tuple[str, ...],
    source: Path | None,
    output: Path | None,
    text_columns: tuple[str, ...],
    encoding: str,
    delimiter: str,
    quoting: str,
    as_json: bool,
    **found_by: Any,
) -> int:
    """Label new reviews with a trained model.

    RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`. The texts are arguments, lines on standard input, or rows of a file.

    \b
      sentexp predict latest "not bad at all"
      sentexp predict best --metric test/accuracy < lines.txt
      sentexp predict 3f2a --input reviews.csv --text-column review --output labelled.csv

    Printed are label, its probability and the text, with tabs between them. A text of which the model knows no word is
    named. The exit status is 1 if a row could not be predicted.
    """  # fmt: skip
    if source is not None and texts:
        raise SentexpError(f"predict: --input {source}: expected without texts beside it")
    if (source is None) != (output is None):
        there, missing = ("--output", "--input") if source is None else ("--input", "--output")
        raise SentexpError(f"predict: {there}: expected with {missing} FILE beside it")
    if source is None:
        return _print(load(run, **found_by), [texts] if texts else _standard_input(encoding), as_json)
    assert output is not None
    if not source.is_file():
        raise SentexpError(f"--input {source}: no such file{nearest_path(str(source))}")
    if not output.absolute().parent.is_dir():
        raise SentexpError(f"--output {output}: no such folder; expected one that is there")
    return _predict_file(load(run, **found_by), source, output, text_columns, encoding, delimiter, quoting)


def _print(trained: Predictor, chunks: Iterable[tuple[str, ...]], as_json: bool) -> int:
    """Print the predictions for each chunk as soon as they are known."""
    from sentexp.use.predicting import predictions

    row = 0
    for chunk in chunks:
        for text, prediction in zip(chunk, next(predictions(trained, [chunk])), strict=True):
            row += 1
            print(_line(text, prediction, as_json))
            if prediction.known_words == 0:
                print(f"sentexp: text {row}: the model knows no word of it", file=sys.stderr)
        sys.stdout.flush()
    return 0


def _line(text: str, prediction: Prediction, as_json: bool) -> str:
    if as_json:
        answer = {"text": text, "label": prediction.label, "probabilities": prediction.probabilities}
        return json.dumps({**answer, "known_words": prediction.known_words}, ensure_ascii=False)
    return f"{prediction.label}\t{prediction.probabilities[prediction.label]:.4f}\t{printable(text)}"


def _standard_input(encoding: str) -> Iterator[tuple[str, ...]]:
    """Yield the lines that have arrived, so that a program that writes one line at a time is answered at once."""
    rest = b""
    while block := os.read(0, BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        if whole:
            yield tuple(_decoded(line, encoding) for line in whole)
    if rest:
        yield (_decoded(rest, encoding),)


def _decoded(line: bytes, encoding: str) -> str:
    try:
        return line.decode(encoding).rstrip("\r")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line[error.start]:02x}"
        raise SentexpError(f"standard input: {byte} is not {encoding}; expected --encoding NAME of it") from None
    except LookupError:
        raise SentexpError(f"--encoding {encoding}: no such encoding; expected utf-8, latin-1 ...") from None


def _predict_file(
    trained: Predictor,
    source: Path,
    output: Path,
    text_columns: tuple[str, ...],
    encoding: str,
    delimiter: str,
    quoting: str,
) -> int:
    from sentexp.data.columns import Columns
    from sentexp.data.columns import text_columns as as_columns
    from sentexp.machine.cores import available_cores
    from sentexp.use.predicting import predict_file, tokenizers_for

    texts = text_columns or as_columns(trained.config.get("data", {}).get("text_column", "text"))
    problems = 0

    def on_bad(problem: str) -> None:
        nonlocal problems
        problems += 1
        if problems <= SHOWN_PROBLEMS:
            print(f"sentexp: {problem}", file=sys.stderr)

    done = 0
    with terminal.bar() as progress:

        def on_rows(rows: int) -> None:
            nonlocal done
            done += rows
            progress(done, None, "predicting")

        counts = predict_file(
            trained,
            source,
            output,
            Columns(texts, encoding=encoding, delimiter=delimiter, quoting=quoting),
            processes=tokenizers_for(source.stat().st_size, available_cores()[0]),
            on_bad=on_bad,
            on_rows=on_rows,
        )
    if problems > SHOWN_PROBLEMS:
        print(f"sentexp: {problems - SHOWN_PROBLEMS:,} more rows with a problem", file=sys.stderr)
    if counts.unknown:
        print(f"sentexp: {counts.unknown:,} rows of which the model knows no word (known_words=0)", file=sys.stderr)
    print(f"{output}: {counts.rows:,} rows")
    return 1 if counts.bad else 0
