"""A comparison on the terminal and as a folder of tables and a web page."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.console import Console

from sentexp.report.page import html_table
from sentexp.report.spreadsheet import write_csv
from sentexp.statistics import RESAMPLED
from sentexp.use.comparing import Comparison, PairedTest
from sentexp.use.shown import (
    INTERVAL,
    INTERVALS,
    ends,
    number,
    page_table,
    paragraph,
    print_lines,
    print_table,
    section,
    signed,
    whole_page,
)

PRINTED = ("accuracy", "f1", "loss", "roc_auc")
"""Metrics that the terminal shows."""

MOST_ON_PAGE = 200
MOST_ON_TERMINAL = 5
"""Disagreements that the page and the terminal show; disagreements.csv has all."""

LONGEST_ON_PAGE = 1500
"""Characters of a review on the page."""

NO_DIFFERENCE = "no parameter differs"


def print_comparison(compared: Comparison, console: Console) -> None:
    """Print who is compared, what differs, metrics side by side, paired tests and some disagreements."""
    width = console.width
    print_lines(console, "")
    print_table(console, ["run", "id", "name"], [
        (one.mark, one.run_id[:8] if one.run_id else "folder", one.name) for one in compared.contestants
    ], [])  # fmt: skip
    print_lines(console, "")
    if len(compared.parameters):
        print_table(console, ["parameter", "runs and their values"], list(_grouped(compared.parameters)), [])
    else:
        print_lines(console, NO_DIFFERENCE)
    print_lines(console, "", f"{compared.reviews:,} test reviews; below each value its {INTERVAL}")
    heads = ["run", *(_metric(compared, name) for name in PRINTED)]
    for heading, some in compared.by_kind():
        rows = []
        for one in some:
            cells = [(one.metrics[name].value, ends(one.metrics[name])) for name in PRINTED]
            rows.append([one.mark, *(number(value) for value, _ in cells)])
            rows.append(["", *(f"{limits.replace(' to ', '-')}" for _, limits in cells)])
        print_lines(console, *([heading] if heading else []))
        print_table(console, heads, rows, heads[1:])
    print_lines(console, "")
    heads, rows = test_rows(compared)
    print_table(console, heads, rows, heads[1:])
    if len(compared.tests) > 1:
        print_lines(console, several(compared))
    print_lines(console, *compared.notes)
    count = len(compared.disagreements)
    print_lines(console, "", f"{count:,} reviews on which they disagree{', the surest first' if count else ''}")
    for line in compared.disagreements.head(MOST_ON_TERMINAL).to_dict("records"):
        answers = " ".join(f"{one.letter} {line[one.letter]}" for one in compared.contestants)
        begun = f"true {line['true']}, {answers}: "
        room = max(20, width - len(begun))
        print_lines(console, begun + textwrap.shorten(str(line["text"]), room, placeholder=" ..."))


def write_comparison(compared: Comparison, folder: Path) -> None:
    """Write comparison.html, metrics.csv, parameters.csv, tests.csv and disagreements.csv into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    metrics = [
        (one.letter, one.name, one.run_id, name, value.value, value.low, value.high, one.transductive)
        for one in compared.contestants
        for name, value in one.metrics.items()
    ]
    stars = {one.letter: one.transductive for one in compared.contestants}
    tests = [
        (one.letter, name, value.value, value.low, value.high, one.only_first, one.only_this, one.p, stars[one.letter])
        for one in compared.tests
        for name, value in one.differences.items()
    ]
    first = compared.contestants[0].letter
    counts = [f"only {first} right", "only this right", "McNemar p of accuracy", "transductive"]
    tables = {
        "metrics": pd.DataFrame(
            metrics, columns=["run", "name", "run_id", "metric", "value", "low", "high", "transductive"]
        ),
        "tests": pd.DataFrame(tests, columns=["run", "metric", f"difference to {first}", "low", "high", *counts]),
        "parameters": compared.parameters,
        "disagreements": compared.disagreements,
    }
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    (folder / "comparison.html").write_text(comparison_page(compared), encoding="utf-8")


def comparison_page(compared: Comparison) -> str:
    """Return the comparison as a web page that loads no other."""
    runs = [(one.mark, one.name, one.run_id or "a folder") for one in compared.contestants]
    heads = ["run", *(_metric(compared, name) for name in RESAMPLED)]
    metrics = []
    for heading, some in compared.by_kind():
        rows = [[one.mark, *(f"{number(it.value)}\n{ends(it)}" for it in one.metrics.values())] for one in some]
        metrics += [*([paragraph(heading)] if heading else []), page_table(heads, rows, heads[1:])]
    differences = [
        [compared.mark_of(one.letter), *(signed(value).replace(" (", "\n(") for value in one.differences.values())]
        for one in compared.tests
    ]
    test_heads, tests = test_rows(compared)
    changed = compared.parameters
    parameters = (
        page_table(list(changed.columns), changed.astype(str).itertuples(index=False))
        if len(changed)
        else paragraph(NO_DIFFERENCE)
    )
    first = compared.contestants[0].mark
    count, shown = len(compared.disagreements), min(MOST_ON_PAGE, len(compared.disagreements))
    how_many = f"{count:,} of {compared.reviews:,} reviews, those first of which the models are surest"
    how_many += f"; the {shown:,} first, disagreements.csv has all." if shown < count else "."
    return whole_page(
        f"Comparison of {len(runs)} models",
        f"{compared.reviews:,} test reviews of {compared.source}. {INTERVALS}",
        [
            section("Models", page_table(["run", "name", "id"], runs)),
            section("Metrics", *map(paragraph, compared.notes), *metrics),
            section(f"Differences to {first}", page_table(heads, differences, heads[1:])),
            section(
                f"Paired test against {first}",
                page_table(test_heads, tests, test_heads[1:]),
                paragraph(several(compared)) if len(compared.tests) > 1 else "",
            ),
            section("Parameters that differ", parameters),
            section("Disagreements", paragraph(how_many), _disagreements(compared)),
        ],
    )


def test_rows(compared: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of the table of paired tests."""
    first = compared.contestants[0].mark
    heads = ["run", f"accuracy less {first}'s (95 %)", f"only {first} right", "only it right", "McNemar p"]
    return heads, [
        [
            compared.mark_of(one.letter),
            signed(one.differences["accuracy"]),
            f"{one.only_first:,}",
            f"{one.only_this:,}",
            _p(one),
        ]
        for one in compared.tests
    ]


def several(compared: Comparison) -> str:
    """Return what to think of the p-values of several tests."""
    count = len(compared.tests)
    return f"{count} tests: of the p-values, those below {0.05 / count:.2g} hold at 5 % for all together (Bonferroni)"


def _p(test: PairedTest) -> str:
    return f"{test.p:.4f}" if test.p >= 0.0001 else f"{test.p:.1e}"


def _grouped(parameters: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield each parameter with its values, each behind the letters of the runs that have it."""
    for key, *values in parameters.itertuples(index=False):
        runs: dict[str, list[str]] = {}
        for letter, value in zip(parameters.columns[1:], values, strict=True):
            runs.setdefault(value, []).append(letter)
        yield key, "; ".join(f"{' '.join(of)}: {value}" for value, of in runs.items())


def _metric(compared: Comparison, name: str) -> str:
    return f"{name} ({compared.f1_of})" if name in ("f1", "precision", "recall") else name


def _disagreements(compared: Comparison) -> str:
    named = [one.letter for one in compared.contestants]
    rows = []
    for line in compared.disagreements.head(MOST_ON_PAGE).to_dict("records"):
        cells = [f'<td class="number">{line["row"]}</td>', f"<td>{_shortened(str(line['text']))}</td>"]
        cells.append(f"<td>{html.escape(line['true'])}</td>")
        for letter in named:
            kind = "right" if line[letter] == line["true"] else "wrong"
            sure = f"{100 * line[f'{letter} probability']:.1f} %"
            cells.append(f'<td class="{kind}">{html.escape(line[letter])} {sure}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return html_table(["row", "review", "true", *named], rows, {"row"}) if rows else ""


def _shortened(text: str) -> str:
    return html.escape(text if len(text) <= LONGEST_ON_PAGE else text[: LONGEST_ON_PAGE - 1] + "…")
