from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import made_up_sweeps as made_up

from sentexp.report.sweep.page import jobs_page, pruned_at


class Rows(HTMLParser):
    """The cells of every row of a page, by the row's class."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[tuple[str | None, list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
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
