"""The jobs of a sweep as a page."""

from __future__ import annotations

import html

from sentexp.report.page import page, table
from sentexp.report.sweep.points import counts, describe, number, values
from sentexp.report.sweep.tables import Columns, figure, jobs_table, mean_and_deviation, ranked
from sentexp.sweep.results import Point, SweepResults

STYLE = """
body { max-width: none; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
th, td { padding: .3rem .6rem; }
th { white-space: normal; vertical-align: bottom; min-width: 3rem; }
th.number { text-align: right; }
td.key { max-width: 24rem; overflow-wrap: anywhere; }
td.error { min-width: 16rem; max-width: 40rem; overflow-wrap: anywhere; color: #a84800; }
td.run_id { font: 12px ui-monospace, monospace; color: #666; }
tr.best { background: #fdf0e0; font-weight: 600; }
tr.failed .state { color: #a84800; font-weight: 600; }
tr.pruned, tr.waiting, tr.running { color: #777; }
"""

WORDS = ("state", "error", "run_id")


def jobs_page(record: SweepResults) -> str:
    """A web page that needs nothing else: with several seeds the points, the best first; every job, by its number."""
    best = record.best()
    summary = f"{len(record.jobs):,} jobs: {counts(job.state for job in record.jobs) or 'none'}."
    if best is not None:
        summary += f" Best: {html.escape(describe(best, record.swept) or 'the only point')}."
    body = _section("Jobs", _jobs(record, best))
    if Columns.of(record).seeds:
        body = _section("Points, mean ± standard deviation over seeds", _points(record, best)) + body
    return page(f"Sweep {record.name}", summary, body, STYLE)


def _section(title: str, content: str) -> str:
    return f'<h2>{title}</h2>\n<div class="wide">{content}</div>\n'


def _points(record: SweepResults, best: Point | None) -> str:
    heads = ["rank", *record.swept, "n", *record.metrics, "states"]
    rows = []
    for place, point in enumerate(ranked(record), 1):
        given = values(point)
        cells = [_cell("number", str(place) if point.values else "")]
        cells += [_cell("key", number(*given[key]) if key in given else "") for key in record.swept]
        cells += [_cell("number", str(point.n))]
        cells += [_cell("number", mean_and_deviation(point, index)) for index in range(len(record.metrics))]
        cells += [_cell("state", counts(point.states))]
        rows.append(_row("best" if point == best else "point", cells))
    return table(heads, rows, numbers={"rank", "n", *record.metrics})


def _jobs(record: SweepResults, best: Point | None) -> str:
    frame = jobs_table(record)
    key_of = {name: key for key, name in Columns.of(record).keys.items()}
    given = {job.number: values(point) for point in record.points() for job in point.jobs}
    of_best = {job.number for job in best.jobs if job.state == "finished"} if best is not None else set()
    rows = []
    for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
        cells = []
        for name, value in row.items():
            if name in key_of:
                pair = given[row["number"]].get(key_of[name], ("", ""))
                cells.append(_cell("key", number(*pair)))
            elif name in WORDS:
                cells.append(_cell(str(name), value or ""))
            else:
                cells.append(_cell("number", _figure(str(name), value)))
        rows.append(_row("best" if row["number"] in of_best else row["state"], cells))
    heads = list(map(str, frame.columns))
    return table(heads, rows, numbers={head for head in heads if head not in key_of and head not in WORDS})


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name in ("number", "seed") or name.endswith("/epoch"):
        return f"{value:.0f}"
    return f"{value:.1f}" if name == "seconds" else figure(value)


def _row(kind: str, cells: list[str]) -> str:
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _cell(kind: str, text: str) -> str:
    return f'<td class="{kind}">{html.escape(text)}</td>'
