"""An evaluation on the terminal and as a folder of tables, pictures and a web page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from sentexp.data.reviews import Reviews
from sentexp.report.page import picture
from sentexp.report.spreadsheet import write_csv
from sentexp.schema import Config
from sentexp.use.evaluating import Evaluation
from sentexp.use.shown import (
    INTERVAL,
    INTERVALS,
    number,
    page_table,
    paragraph,
    print_lines,
    print_table,
    section,
    whole_page,
)

MOST_LABELS = 12
"""Slices by label that are printed; slices.csv and the page have all."""


def print_evaluation(evaluated: Evaluation, console: Console) -> None:
    """Print metrics and slices as tables, then lines about calibration, threshold and what is missing."""
    reviews = len(evaluated.judged["test"].lengths)
    print_lines(console, "")
    print_table(
        console,
        [f"{reviews:,} test reviews", "value", INTERVAL],
        evaluated.metric_rows(evaluated.main_metrics()),
        ["value", INTERVAL],
    )
    print_lines(console, "")
    heads, rows = slice_rows(evaluated)
    kept = [row for row in rows if row[0] != "label"]
    of_labels = [row for row in rows if row[0] == "label"]
    print_table(console, heads, [*kept, *of_labels[:MOST_LABELS]], heads[2:])
    if len(of_labels) > MOST_LABELS:
        print_lines(console, f"{len(of_labels) - MOST_LABELS:,} more labels in slices.csv")
    print_lines(console, "", *about(evaluated), *evaluated.notes)


def evaluation_page(evaluated: Evaluation, name: str, pictures: Mapping[str, Path], further: Sequence[str] = ()) -> str:
    """Return a web page on the model called `name`; `pictures` are PNG files by their names.

    `further` sections, HTML, follow that of the metrics.
    """
    metrics = evaluated.metric_rows(evaluated.metrics)
    heads, rows = slice_rows(evaluated)
    return whole_page(
        f"Evaluation of {name}",
        f"{evaluated.title}. {INTERVALS} Those of slices are Wilson's (1927).",
        [
            section(
                "Metrics",
                *map(paragraph, evaluated.notes),
                page_table(["metric", "value", INTERVAL], metrics, ["value", INTERVAL]),
            ),
            *further,
            section("Slices", page_table(heads, rows, heads[2:])),
            section("Calibration and threshold", *map(paragraph, about(evaluated))),
            section("Pictures", *(picture(title, file) for title, file in pictures.items())),
        ],
    )


def write_evaluation(
    evaluated: Evaluation, name: str, reviews: Reviews, config: Config, folder: Path, further: Sequence[str] = ()
) -> None:
    """Write the report of the model called `name` into `folder`: the pictures and tables of a run's report, and

    - metrics.csv: metric, value, and low and high, the ends of its interval
    - slices.csv: see `slice_table`
    - evaluation.html: all of it on one page, which loads no other; with `further` sections of HTML
    """
    from sentexp.report.run.folder import write_reports  # matplotlib, which nothing before has waited for

    test = evaluated.judged["test"]
    written = write_reports(
        folder,
        history=None,
        best_epoch=None,
        probabilities=test.predictions.probabilities,
        labels=test.predictions.labels,
        lengths=test.lengths,
        texts=reviews.splits["test"]["text"],
        names=evaluated.labels,
        positive=evaluated.positive,
        places=reviews.places_of("test"),
        with_texts=config.evaluation.texts,
        note=evaluated.overlap.line if evaluated.overlap is not None else "",
    )
    rows = [(name, one.value, one.low, one.high) for name, one in evaluated.metrics.items()]
    table = pd.DataFrame(rows, columns=["metric", "value", "low", "high"])
    write_csv(table, folder / "metrics.csv")
    write_csv(evaluated.slices, folder / "slices.csv")
    pictures = {path.stem.replace("_", " "): path for path in written if path.suffix == ".png"}
    page = evaluation_page(evaluated, name, pictures, further)
    (folder / "evaluation.html").write_text(page, encoding="utf-8")


def slice_rows(evaluated: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of the table of slices."""
    rows = [
        [kind, part, f"{reviews:,}", number(accuracy), f"{low:.4f} to {high:.4f}"]
        for kind, part, reviews, accuracy, low, high in evaluated.slices.itertuples(index=False)
    ]
    return ["slice", "part", "reviews", "accuracy", INTERVAL], rows


def about(evaluated: Evaluation) -> Iterator[str]:
    """Yield a line each about calibration and threshold."""
    calibration, threshold = evaluated.calibration, evaluated.threshold
    if calibration is not None:
        yield (
            f"calibration: temperature {calibration.temperature:.2f}, fitted on {calibration.reviews:,} validation "
            f"reviews; test ECE {number(calibration.ece[0])} -> {number(calibration.ece[1])}, "
            f"loss {number(calibration.loss[0])} -> {number(calibration.loss[1])}"
        )
    if threshold is not None:
        yield (
            f"threshold: {threshold.positive} from probability {number(threshold.value)}, the best for "
            f"{threshold.metric} on validation ({number(threshold.valid)}); test {threshold.metric} "
            f"{number(threshold.test)}, at 0.5 {number(threshold.test_at_half)}"
        )
