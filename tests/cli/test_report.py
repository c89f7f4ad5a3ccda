from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentexp.cli.report import command
from sentexp.errors import SentexpError
from sentexp.sweep.results import SweepResults


def test_the_printed_command_can_be_pasted_whatever_the_folder_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "last night's"
    folder.mkdir()
    (folder / "sweep.yaml").touch()
    results = SweepResults(folder, "night", ("test/accuracy",), ("maximize",), ("seed",), [], {}, {}, "basic", None)
    monkeypatch.setattr("sentexp.sweep.results.SweepResults.load", lambda folder, trust: results)
    monkeypatch.setattr("sentexp.report.sweep.folder.write_sweep_report", lambda results, folder: [Path("best.yaml")])
    ended = CliRunner().invoke(command, [str(folder)])
    assert ended.exit_code == 0
    again = ended.output.splitlines()[-1].removeprefix("run the best again: ")
    assert shlex.split(again) == ["sentexp", "--config-dir", str(folder), "experiment=best"]


@pytest.mark.parametrize(("given", "why"), [("FOLDER", "no sweep; expected a folder"), ("latest", "there is no sweep")])
def test_a_folder_that_is_no_sweep_is_refused(given, why, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(command, [given])
    assert isinstance(ended.exception, SentexpError)
    assert why in str(ended.exception)
