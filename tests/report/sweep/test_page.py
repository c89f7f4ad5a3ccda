from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import made_up_sweeps as made_up
import pytest

from sentexp.report.page import SORTING, html_table, web_page
from sentexp.report.sweep.page import jobs_page, pruned_at
from sentexp.sweep.results import SweepResults


class Rows(HTMLParser):
    """The cells of every row of a page, by the row's class."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.rows: list[tuple[str | None, list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs).get("href"))
        if tag == "tr":
            self.rows.append((dict(attrs).get("class"), []))
        elif tag in ("td", "th"):
            self.rows[-1][1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1][1]:
            self.rows[-1][1][-1] += data.strip()


def test_the_page_has_a_row_for_each_job_and_marks_the_best(tmp_path: Path) -> None:
    rows = Rows(jobs_page(made_up.grid(tmp_path))).rows
    assert len(rows) == 1 + 8
    assert [kind for kind, _ in rows[1:]] == ["finished"] * 7 + ["best"]
    assert rows[-1][1][:6] == ["7", "true", "2", "128", "finished", "0.8300"]


def test_the_page_shows_points_first_where_there_are_seeds(tmp_path: Path) -> None:
    rows = Rows(jobs_page(made_up.seeds(tmp_path))).rows
    assert rows[1] == ("best", ["1", "b", "3", "0.8000 ± 0.0100", "0.7000 ± 0.0100", "3 finished"])
    assert len(rows) == 1 + 3 + 1 + 9


def test_the_page_marks_transductive_points_and_jobs(tmp_path: Path) -> None:
    rows = [cells for _, cells in Rows(jobs_page(made_up.transductive(tmp_path))).rows]
    points, jobs = rows[:4], rows[4:]
    assert [cells[points[0].index("transductive")] for cells in points[1:]] == ["", "yes", ""]
    assert [cells[jobs[0].index("transductive")] for cells in jobs[1:]] == ["yes", *[""] * 8]


def test_no_value_can_put_anything_into_the_page_and_it_needs_nothing_else(tmp_path: Path) -> None:
    page = jobs_page(made_up.odd_values(tmp_path))
    assert "b" not in Rows(page).tags
    assert "http" not in page
    assert "src=" not in page


def test_the_page_holds_its_pictures_and_sorts_by_a_click(tmp_path: Path) -> None:
    picture = tmp_path / "curve.png"
    picture.write_bytes(b"PNG")
    page = jobs_page(made_up.grid(tmp_path), {"curve": picture})
    assert '<img alt="curve" src="data:image/png;base64,UE5H">' in page
    assert "addEventListener" in page
    assert page.count("src=") == 1


def test_a_pruned_job_shows_what_it_reached() -> None:
    history = [{"epoch": 1.0, "valid/accuracy": 0.5}, {"epoch": 2.0, "valid/accuracy": 0.61}]
    assert pruned_at(history) == "pruned after epoch 2, valid/accuracy 0.6100"
    assert pruned_at([{"loss": 1.0}]) == "pruned after epoch 1"
    assert pruned_at(None) == "pruned"


SERVER = "http://server/a'b\"<c>/#/experiments/1/runs/"


def recorded(results: SweepResults, ui_command: str) -> SweepResults:
    jobs = [replace(job, page=SERVER + job.run_id if job.run_id else None) for job in results.jobs]
    return replace(results, jobs=jobs, page=f"{SERVER}parent", ui_command=ui_command)


def test_the_sweep_and_each_recorded_job_link_to_their_pages_in_mlflow(tmp_path: Path) -> None:
    results = made_up.seeds(tmp_path)
    page = jobs_page(recorded(results, "mlflow ui --backend-store-uri 'sqlite:////a<b.db'"))
    waiting = [job for job in results.jobs if job.run_id is None]
    assert len(waiting) == 1
    assert Rows(page).links == [f"{SERVER}parent", *(SERVER + job.run_id for job in results.jobs if job.run_id)]
    assert "once this runs: <code>mlflow ui --backend-store-uri &#x27;sqlite:////a&lt;b.db&#x27;</code>" in page


def test_a_server_need_not_be_started(tmp_path: Path) -> None:
    page = jobs_page(recorded(made_up.grid(tmp_path), f"python -m webbrowser {SERVER}parent"))
    assert len(Rows(page).links) == 9
    assert "webbrowser" not in page


def test_a_job_may_be_recorded_whose_sweep_is_not(tmp_path: Path) -> None:
    results = recorded(made_up.grid(tmp_path), "mlflow ui")
    assert len(Rows(jobs_page(replace(results, page=None, ui_command=None))).links) == 8


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


ASCENDING = [
    ["-1", "9", "10", "1,024", ""],
    ["2.5e-05", "1e-4", "0.001", "0.5"],
    ["0.75", "0.8 ± 0.1", "0.9 ± 0.01", ""],
    ["3", "20", "[1,2]", "nan", "null"],
    ["9 finished, 1 failed", "10 finished"],
]
"""Cells of one column each, in the order of their values, empty ones last."""


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium or google-chrome")
@pytest.mark.parametrize("clicks", [1, 2])
def test_a_click_sorts_by_value_and_the_next_one_the_other_way(tmp_path: Path, clicks: int) -> None:
    columns = [sorted(cells, key=lambda cell: cell[::-1]) for cells in ASCENDING]
    tables = [html_table(["a_column"], [f"<tr><td>{cell}</td></tr>" for cell in cells]) for cells in columns]
    click = 'document.querySelectorAll("th").forEach(head => head.click());'
    page = tmp_path / "page.html"
    page.write_text(web_page("", "", "".join(tables), script=SORTING + click * clicks), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    done = subprocess.run([*command, str(page)], capture_output=True, encoding="utf-8", timeout=60)
    shown = iter(cell for kind, (cell,) in Rows(done.stdout.partition("<script>")[0]).rows if cell != "a_column")
    for cells in ASCENDING:
        filled = [cell for cell in cells if cell]
        expected = (filled if clicks == 1 else filled[::-1]) + [""] * cells.count("")
        assert [next(shown) for _ in cells] == expected
