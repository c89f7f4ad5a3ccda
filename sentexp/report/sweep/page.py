"""The jobs of a sweep as a web page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from sentexp.report.page import SORTING, html_table, picture, web_page
from sentexp.report.sweep.points import count_states, describe_point, value_texts
from sentexp.report.sweep.tables import (
    Columns,
    format_mean_and_deviation,
    format_metric,
    format_over_seeds,
    jobs_table,
    over_seeds,
    ranked_points,
    yes,
)
from sentexp.sweep.point import short_text
from sentexp.sweep.results import PointResult, SweepResults

STYLE = """
body { max-width: none; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
th, td { padding: .3rem .6rem; }
img { max-width: 100%; }
th { cursor: pointer; white-space: normal; vertical-align: bottom; min-width: 3rem; }
th.number { text-align: right; }
tr { background: #fff; }
.wide th:first-child, .wide td:first-child { position: sticky; left: 0; background: inherit; }
th[aria-sort=ascending]::after { content: " ▲"; }
th[aria-sort=descending]::after { content: " ▼"; }
code { overflow-wrap: anywhere; }
td.key { max-width: 24rem; overflow-wrap: break-word; }
td.error:not(:empty) { min-width: 12rem; }
td.error { max-width: 40rem; overflow-wrap: anywhere; color: #a84800; }
td.run_id { font: 12px/1.875 ui-monospace, monospace; color: #666; }
td.run_id { max-width: 6rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; user-select: all; }
tr.best { background: #fdf0e0; font-weight: 600; }
tr.failed .state { color: #a84800; font-weight: 600; }
tr.pruned .state { min-width: 11rem; }
tr.pruned, tr.waiting, tr.running { color: #777; }
"""

TEST = "test/accuracy"
"""Metric that the points show beside those of the sweep."""

TEXT_COLUMNS = ("state", "error", "run_id", "transductive")
"""Columns that hold neither a swept key nor a number."""


def jobs_page(results: SweepResults, pictures: Mapping[str, Path] | None = None) -> str:
    """Return a web page of all jobs by number; if points have several seeds, the points come first, the best on top.

    `pictures` are PNG files by their name, which are put into the page. A click on the name of a column sorts by it.
    The number of a job links to the page of its run in MLflow, if that was recorded.
    """
    best = results.best()
    summary = f"{len(results.jobs):,} jobs: {count_states(job.state for job in results.jobs) or 'none'}."
    if best is not None:
        summary += f" Best: {html.escape(describe_point(best, results.swept) or 'the only point')}."
    summary += _in_mlflow(results)
    body = _section("Jobs", _jobs(results, best))
    if Columns.of(results).seeds:
        body = _section("Points, mean ± standard deviation over seeds", _points(results, best)) + body
    if pictures:
        body += _section("Pictures", "".join(picture(name, file) for name, file in pictures.items()))
    return web_page(f"Sweep {results.name}", summary, body, STYLE, SORTING)


def _in_mlflow(results: SweepResults) -> str:
    """Return the line that says where the links of the page lead, and how to start what they need."""
    if results.page is None:
        return ""
    line = f"<br>{_link('The sweep in MLflow', results.page)}, and each job by its number"
    if results.ui_command is not None and results.page not in results.ui_command:  # no server that runs already
        line += f"; both once this runs: <code>{html.escape(results.ui_command)}</code>"
    return line


def _section(title: str, content: str) -> str:
    return f'<h2>{title}</h2>\n<div class="wide">{content}</div>\n'


def _points(results: SweepResults, best: PointResult | None) -> str:
    columns = Columns.of(results)
    further = [metric for metric in (TEST,) if metric in columns.further]
    kind = ["transductive"] if columns.transductive else []
    heads = ["rank", *results.swept, "n", *results.metrics, *further, *kind, "states"]
    rows = []
    for place, point in enumerate(ranked_points(results), 1):
        given = value_texts(point)
        cells = [_cell("number", str(place) if point.values else "")]
        cells += [_cell("key", short_text(given.get(key, ""))) for key in results.swept]
        cells += [_cell("number", str(point.n))]
        cells += [_cell("number", format_mean_and_deviation(point, index)) for index in range(len(results.metrics))]
        cells += [_cell("number", format_over_seeds(*over_seeds(point, metric))) for metric in further]
        cells += [_cell("transductive", yes(point.transductive)) for _ in kind]
        cells += [_cell("state", count_states(point.states))]
        rows.append(_row("best" if point == best else "point", cells))
    return html_table(heads, rows, numbers={"rank", "n", *results.metrics, *further})


def _jobs(results: SweepResults, best: PointResult | None) -> str:
    frame = jobs_table(results)
    key_of = {name: key for key, name in Columns.of(results).keys.items()}
    histories = {job.number: job.history for job in results.jobs}
    pages = {job.number: job.page for job in results.jobs}
    of_best = {job.number for job in best.jobs if job.state == "finished"} if best is not None else set()
    rows = []
    for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
        cells = []
        for name, value in row.items():
            if name == "number":
                cells.append(_cell("number", f"{value:.0f}", pages[value]))
            elif name in key_of:
                cells.append(_cell("key", short_text(value)))
            elif name == "state" and value == "pruned":
                cells.append(_cell("state", pruned_at(histories[row["number"]])))
            elif name in TEXT_COLUMNS:
                cells.append(_cell(str(name), value or ""))
            else:
                cells.append(_cell("number", _format_number(str(name), value)))
        rows.append(_row("best" if row["number"] in of_best else row["state"], cells))
    heads = list(map(str, frame.columns))
    numbers = {head for head in heads if head not in key_of and head not in TEXT_COLUMNS}
    return html_table(heads, rows, numbers=numbers)


def pruned_at(history: Sequence[Mapping[str, float]] | None) -> str:
    """Return what a pruned job reached."""
    if not history:
        return "pruned"
    accuracy = history[-1].get("valid/accuracy")
    reached = "" if accuracy is None else f", valid/accuracy {format_metric(accuracy)}"
    return f"pruned after epoch {len(history)}{reached}"


def _format_number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "seed" or name.endswith("/epoch"):
        return f"{value:.0f}"
    return f"{value:.1f}" if name == "seconds" else format_metric(value)


def _row(kind: str, cells: list[str]) -> str:
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _cell(kind: str, text: str, page: str | None = None) -> str:
    return f'<td class="{kind}">{html.escape(text) if page is None else _link(text, page)}</td>'


def _link(text: str, page: str) -> str:
    return f'<a href="{html.escape(page)}">{html.escape(text)}</a>'
