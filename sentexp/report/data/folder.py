"""The report of a data set as files in one folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sentexp.inspection.inspect import Inspection
from sentexp.report.data import pictures
from sentexp.report.data.page import data_page
from sentexp.report.data.tables import equal_table, left_out, rows_of, words_table
from sentexp.report.spreadsheet import write_csv
from sentexp.report.style import save


def write_data_report(inspection: Inspection, folder: Path) -> list[Path]:
    """Write the report into `folder` and return the paths of its files:

    - data.html: all of it as one page
    - warnings.csv: kind, grave, line
    - splits.csv: one row per thing that is counted
    - labels.csv: one row per label and split; lengths.csv: one row per review
    - words.csv: the words that set each label apart
    - equal_texts.csv: the reviews whose text occurs more than once
    - left_out.csv: why rows and files are not among the reviews
    - lengths.png, labels.png
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"lengths": pictures.lengths(inspection), "labels": pictures.labels(inspection)}
    files = {name: folder / f"{name}.png" for name in drawn}
    for name, figure in drawn.items():
        save(figure, files[name])
    written = list(files.values())
    for name, table in _tables(inspection).items():
        write_csv(table, folder / f"{name}.csv")
        written.append(folder / f"{name}.csv")
    (folder / "data.html").write_text(data_page(inspection, files), encoding="utf-8")
    return sorted([*written, folder / "data.html"])


def _tables(inspection: Inspection) -> dict[str, pd.DataFrame]:
    names, splits = inspection.reviews.labels, inspection.splits
    counts = [
        (split, name, count)
        for split, facts in splits.items()
        if facts.labelled
        for name, count in zip(names, facts.counts.tolist(), strict=True)
    ]
    rows = [(name.strip(), *cells) for name, cells in rows_of(inspection)]
    findings = [(finding.kind, finding.grave, finding.line) for finding in inspection.findings]
    lengths = [pd.DataFrame({"split": split, "tokens": facts.lengths}) for split, facts in splits.items()]
    return {
        "warnings": pd.DataFrame(findings, columns=["kind", "grave", "line"]),
        "splits": pd.DataFrame(rows, columns=["counted", *splits]),
        "labels": pd.DataFrame(counts, columns=["split", "label", "reviews"]),
        "lengths": pd.concat(lengths),
        "words": words_table(inspection),
        "equal_texts": equal_table(inspection),
        "left_out": pd.DataFrame(left_out(inspection), columns=["reason", "count"]),
    }
