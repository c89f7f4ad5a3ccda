from __future__ import annotations

import io
import re
from pathlib import Path

import made_up_sweeps as made_up
import pytest
from rich.console import Console

from sentexp.report.sweep.terminal_table import print_points


def shown(results: made_up.SweepResults, width: int = 120) -> str:
    stream = io.StringIO()
    print_points(results, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_points_are_a_table_with_the_best_first_and_marked(tmp_path: Path) -> None:
    lines = shown(made_up.seeds(tmp_path / "night")).splitlines()
    assert lines[0].strip() == "Sweep night: 6 finished, 1 pruned, 1 failed, 1 waiting"
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if " 0." in line]
    assert rows == [
        ["best", "b", "0.8000 ± 0.0100", "3 finished", "3 4 5"],
        ["a", "0.7500 ± 0.0707", "2 finished, 1 failed", "0 1 2"],
        ["c", "0.6000", "1 finished, 1 pruned, 1 waiting", "6 7 8"],
    ]


def test_a_transductive_point_is_marked(tmp_path: Path) -> None:
    lines = [line for line in shown(made_up.transductive(tmp_path)).splitlines() if " 0." in line]
    assert ["transductive" in line for line in lines] == [False, True, False]
    assert "2 finished, 1 failed, transductive" in lines[1]


@pytest.mark.parametrize("shape", [made_up.grid, made_up.search, made_up.two_objectives], ids=lambda s: s.__name__)
def test_each_point_of_a_usual_sweep_has_one_line_of_a_narrow_terminal(shape: type, tmp_path: Path) -> None:
    results = shape(tmp_path)
    lines = [line.split() for line in shown(results, width=80).splitlines()]
    rule = next(index for index, words in enumerate(lines) if words and set(words[0]) == {"─"})
    states = {str(job.number): job.state for job in results.jobs}
    assert {words[-1]: words[-2] for words in lines[rule + 1 :]} == states


@pytest.mark.parametrize("shape", made_up.SHAPES, ids=lambda shape: shape.__name__)
def test_every_shape_of_sweep_can_be_shown_on_a_narrow_terminal(shape: type, tmp_path: Path) -> None:
    assert all(len(line) <= 80 for line in shown(shape(tmp_path), width=80).splitlines())


def test_of_many_points_the_best_are_shown(tmp_path: Path) -> None:
    assert "70 more points in points.csv" in shown(made_up.search(tmp_path, count=100))


def test_a_long_fraction_has_four_digits_and_a_key_that_is_left_out_an_empty_cell(tmp_path: Path) -> None:
    jobs = [made_up.job(0, ["a=0.0018410729205738696", "b=3"], 0.5), made_up.job(1, ["b=12345678901"], 0.4)]
    lines = shown(made_up.sweep(tmp_path, ["a", "b"], jobs)).splitlines()
    assert [line.split()[:-2] for line in lines[-2:]] == [
        ["best", "0.001841", "3", "0.5000"],
        ["12345678901", "0.4000"],
    ]
