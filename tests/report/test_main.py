from __future__ import annotations

import shlex
from pathlib import Path

import made_up_sweeps as made_up
import pytest

from sentexp.report.__main__ import main


def test_the_printed_command_can_be_pasted_whatever_the_folder_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "last night's"
    folder.mkdir()
    (folder / "sweep.yaml").touch()
    best = folder / "experiment" / "best.yaml"
    monkeypatch.setattr("sentexp.report.__main__.SweepResults.load", made_up.grid)
    monkeypatch.setattr("sentexp.report.sweep.folder.write_sweep_report", lambda results, folder: [best])
    assert main([str(folder)]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("run the best again: ")
    assert shlex.split(command) == ["python", "-m", "sentexp", "--config-dir", str(folder), "experiment=best"]


def test_a_folder_that_is_no_sweep_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(tmp_path)]) == 2
    assert main(["latest"]) == 2
    no_sweep, no_latest = capsys.readouterr().err.splitlines()
    assert no_sweep.startswith(f"sentexp.report: {tmp_path}: no sweep; expected a folder")
    assert no_latest.startswith("sentexp.report: latest: there is no sweep under multirun/")
