from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sentexp.config import compose
from sentexp.inspection.inspect import Inspection
from sentexp.report.data.terminal import BINS, histogram, print_inspection
from sentexp.runner import inspect


def inspected(folder: Path, labels: int = 2, word: str = "word") -> Inspection:
    rows = [f"{word} film number {row} was {row % labels},label {row % labels} {word}" for row in range(40 * labels)]
    (folder / "a.csv").write_text("\n".join(["text,label", *rows, "equal,label 0 x", "equal,label 1 x", ",label 0 x"]))
    return inspect(
        compose("data=files", f"data.path={folder}/a.csv", f"cache_dir={folder}/cache", "tokenizer=basic",
                "data.label_map=null")
    )  # fmt: skip


def printed(inspection: Inspection) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    print_inspection(inspection, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_unlabelled_reviews_have_a_column_without_labels_and_all_of_it_fits_80_columns(tmp_path: Path) -> None:
    inspection = inspected(tmp_path)
    train, valid, _ = inspection.splits.values()
    many = {split: replace(train, counts=np.full_like(train.counts, 12_500)) for split in inspection.splits}
    many["unlabelled"] = replace(valid, counts=np.zeros_like(train.counts), lengths=np.resize(valid.lengths, 50_000))
    shared = {("test", "unlabelled"): 123, ("valid", "unlabelled"): 45, ("unlabelled", "train"): 6}
    equal = replace(inspection.equal, repeated=dict.fromkeys(many, 7), shared=inspection.equal.shared | shared)
    lines = printed(replace(inspection, splits=many, equal=equal))
    assert lines[2].split() == ["train", "valid", "test", "unlabelled"]
    assert [line.count("12,500 (25 %)") for line in lines if "12,500" in line] == [3] * len(train.counts)
    assert next(line.split() for line in lines if line.startswith("reviews"))[-1] == "50,000"
    (also,) = [line for line in lines if line.startswith("text also in unlabelled")]
    assert also.split()[4:] == ["45", "123"]
    assert max(map(len, lines[2:20])) <= 80
    assert "…" not in "".join(lines[2:20])


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return printed(inspected(tmp_path_factory.mktemp("data")))


def test_the_tables_fit_80_columns_and_a_warning_is_one_line(lines) -> None:
    warnings = next(place for place, line in enumerate(lines) if line.endswith(" warnings"))
    beyond = [line for line in lines[1:warnings] if len(line) > 80 and "a.csv" not in line]
    assert beyond == []
    assert [line for line in lines if line != line.rstrip()] == []
    found = lines[warnings + 1 :]
    assert all(line.startswith(("!! ", "!  ")) for line in found)
    assert sum("text has two labels" in line for line in found) == 1


def test_what_is_left_out_and_the_samples_are_shown(lines) -> None:
    assert any(line.startswith("1  ") and line.endswith("a.csv: no text") for line in lines)
    assert any(line.startswith("  word film number") for line in lines)


def test_a_label_moves_no_cursor_and_is_no_markup(tmp_path: Path) -> None:
    shown = "\n".join(printed(inspected(tmp_path, word="\x1b[2J[bold]")))
    assert "\x1b" not in shown
    assert "[bold]" in shown


def test_of_many_labels_some_are_shown(tmp_path: Path) -> None:
    found = printed(inspected(tmp_path, labels=30))
    assert any(line == "12 more labels; --output FOLDER writes all" for line in found)


@given(st.lists(st.integers(0, 5000), min_size=1), st.integers(0, 5000))
def test_each_bin_with_a_length_shows(lengths: list[int], last: int) -> None:
    bars = histogram(np.array(lengths), last)
    assert len(bars) == BINS
    assert (set(bars) == {"·"}) == all(length > max(1, last) for length in lengths)
