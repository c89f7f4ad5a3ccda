from __future__ import annotations

import csv
import html
import html.parser
from pathlib import Path

import pandas as pd
import pytest

from sentexp.config import compose
from sentexp.inspection.inspect import Inspection
from sentexp.report.data.folder import write_data_report
from sentexp.runner import inspect

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    folder = tmp_path_factory.mktemp("data")
    rows = [(f"{SCRIPT} film number {row}", "a <b>" if row % 2 else "c") for row in range(100)]
    with (folder / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows, *rows[:60], ("", "c")])
    overrides = ("data=files", f"data.path={folder}/a.csv", f"cache_dir={folder}/cache", "tokenizer=basic")
    return inspect(compose(*overrides, "text.max_length=3"))


def test_the_tables_hold_what_was_found(inspection: Inspection, tmp_path: Path) -> None:
    written = write_data_report(inspection, tmp_path)
    assert sorted(tmp_path.iterdir()) == written
    tables = {path.stem: pd.read_csv(path) for path in written if path.suffix == ".csv"}
    assert tables["labels"]["reviews"].sum() == len(tables["lengths"]) == 160
    assert len(tables["equal_texts"]) == 120
    assert (tables["equal_texts"].groupby("text").size() == 2).all()
    assert set(tables["equal_texts"]["review"]) == {f"{SCRIPT} film number {row}" for row in range(60)}
    assert tables["left_out"]["count"].tolist() == [1]
    assert tables["warnings"]["line"].tolist() == [finding.line for finding in inspection.findings]
    assert list(tables["splits"].columns) == ["counted", "train", "valid", "test"]


def test_unlabelled_reviews_are_counted_and_shown_without_a_label(tmp_path: Path) -> None:
    rows = [(f"film number {row}", "ab"[row % 2]) for row in range(60)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    (tmp_path / "more.txt").write_text("\n".join(text for text, _ in rows[:30]))
    files = (f"data.path={tmp_path}/a.csv", f"data.unlabelled={tmp_path}/more.txt", f"cache_dir={tmp_path}/cache")
    written = write_data_report(inspect(compose("data=files", *files, "tokenizer=basic")), tmp_path / "report")
    tables = {path.stem: pd.read_csv(path, keep_default_na=False) for path in written if path.suffix == ".csv"}
    assert set(tables["labels"]["split"]) == {"train", "valid", "test"}
    left = (tables["lengths"]["split"] == "unlabelled").sum()  # without those of the validation and test splits
    assert 0 < left < 30
    equal = tables["equal_texts"]
    assert len(equal) == 2 * left
    assert ((equal["label"] == "") == (equal["split"] == "unlabelled")).all()
    splits = tables["splits"].set_index("counted")
    assert splits.loc["a", "unlabelled"] == ""
    assert [int(splits.loc[f"text also in {one}", two] or 0) for one, two in [
        ("train", "unlabelled"), ("unlabelled", "valid"), ("unlabelled", "test"),
    ]] == [left, 0, 0]  # fmt: skip


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_whole_in_itself_and_runs_nothing(inspection: Inspection, tmp_path: Path) -> None:
    write_data_report(inspection, tmp_path)
    page = (tmp_path / "data.html").read_text(encoding="utf-8")
    parser = Tags()
    parser.feed(page)
    assert [tag for tag, _ in parser.tags if tag in ("script", "link", "b")] == []
    pictures = [given["src"] for tag, given in parser.tags if tag == "img"]
    assert len(pictures) == 2
    assert all(str(source).startswith("data:image/png;base64,") for source in pictures)
    assert "more in equal_texts.csv" in page
    for finding in inspection.findings:
        assert html.escape(finding.line) in page
