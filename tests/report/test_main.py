from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import made_up_sweeps as made_up
import pytest
from rich.console import Console

from sentexp.report.__main__ import main, show


def shown(record: made_up.SweepResults, width: int = 120) -> str:
    stream = io.StringIO()
    show(record, Console(file=stream, width=width))
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


@pytest.mark.parametrize("shape", [made_up.grid, made_up.search, made_up.two_objectives], ids=lambda s: s.__name__)
def test_each_point_of_a_usual_sweep_has_one_line_of_a_narrow_terminal(shape: type, tmp_path: Path) -> None:
    record = shape(tmp_path)
    lines = [line.split() for line in shown(record, width=80).splitlines()]
    rule = next(index for index, words in enumerate(lines) if words and set(words[0]) == {"─"})
    states = {str(job.number): job.state for job in record.jobs}
    assert {words[-1]: words[-2] for words in lines[rule + 1 :]} == states


def test_the_printed_command_can_be_pasted_whatever_the_folder_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "last night's"
    folder.mkdir()
    (folder / "sweep.yaml").touch()
    best = folder / "experiment" / "best.yaml"
    monkeypatch.setattr("sentexp.report.__main__.SweepResults.load", made_up.grid)
    monkeypatch.setattr("sentexp.report.sweep.folder.write_sweep_report", lambda record, folder: [best])
    assert main([str(folder)]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("run the best again: ")
    assert shlex.split(command) == ["python", "-m", "sentexp", "--config-dir", str(folder), "experiment=best"]


@pytest.mark.parametrize("shape", made_up.SHAPES, ids=lambda shape: shape.__name__)
def test_every_shape_of_sweep_can_be_shown_on_a_narrow_terminal(shape: type, tmp_path: Path) -> None:
    assert all(len(line) <= 80 for line in shown(shape(tmp_path), width=80).splitlines())


def test_of_many_points_the_best_are_shown(tmp_path: Path) -> None:
    assert "70 more points in points.csv" in shown(made_up.search(tmp_path, count=100))


def test_a_folder_that_is_no_sweep_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(tmp_path)]) == 2
    assert main(["latest"]) == 2
    no_sweep, no_latest = capsys.readouterr().err.splitlines()
    assert no_sweep.startswith(f"sentexp.report: {tmp_path}: no sweep; expected a folder")
    assert no_latest.startswith("sentexp.report: latest: there is no sweep under multirun/")
