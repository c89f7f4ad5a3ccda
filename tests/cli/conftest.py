from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


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
