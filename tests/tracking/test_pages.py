from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sentexp.tracking import pages
from sentexp.tracking.interface import Location
from sentexp.tracking.pages import page, ui_command


def test_a_server_opens_the_run_in_one_line() -> None:
    uri = "http://server:5000"
    place = Location(uri, "tests", "7", "a run", "abc", ui_command(uri, "7", "abc"), page(uri, "7", "abc"))
    assert place.lines() == ["look at it: python -m webbrowser 'http://server:5000/#/experiments/7/runs/abc'"]


@pytest.mark.parametrize(
    ("uri", "command"),
    [
        ("http://server:5000/", "python -m webbrowser 'http://server:5000/#/experiments/7/runs/abc'"),
        ("sqlite:////tmp/mlflow.db", "mlflow ui --backend-store-uri sqlite:////tmp/mlflow.db"),
        ("mysql://a:secret@b/runs", 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"'),
    ],
)
def test_the_command_fits_the_store(uri: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.shutil, "which", lambda program: str(Path(sys.executable).parent / program))
    assert ui_command(uri, "7", "abc") == command


def test_outside_of_the_activated_environment_the_command_names_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.shutil, "which", lambda program: None)
    assert ui_command("sqlite:////a.db", "7", "abc").startswith(f"{sys.executable} -m mlflow ui ")
