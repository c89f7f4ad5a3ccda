from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentexp import cli


@pytest.fixture
def sentexp(tmp_path: Path):
    """Starts `python -m sentexp` in a folder of its own, with a cache of its own."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        package = str(Path(__file__).parents[2])
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "HYDRA"))}
        environment["PYTHONPATH"] = os.pathsep.join([package, environment.get("PYTHONPATH", "")])
        environment["SENTEXP_CACHE_DIR"] = str(tmp_path / "cache")
        return subprocess.Popen(
            [sys.executable, "-m", "sentexp", *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@dataclass(frozen=True)
class Ended:
    """How the program ended."""

    status: object
    output: str
    errors: str


@pytest.fixture
def sentexp_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Runs a command, training aside, in this process, which is spared the seconds of a start."""
    for key in [key for key in os.environ if key.startswith(("MLFLOW", "HYDRA"))]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # the program sets it; this brings back what it was
    monkeypatch.setenv("SENTEXP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["sentexp", *arguments])
        at_sigterm = signal.getsignal(signal.SIGTERM)
        status: object = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code
        finally:
            signal.signal(signal.SIGTERM, at_sigterm)
            gc.unfreeze()
        printed = capsys.readouterr()
        return Ended(status, printed.out, printed.err)

    return run
