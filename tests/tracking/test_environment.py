from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sentexp.tracking import environment


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_known_by_its_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert environment.git_state(checkout) == {"commit": commit, "dirty": False, "branch": "main"}


@pytest.mark.parametrize("file", ["a.txt", "new.txt"])
def test_a_changed_or_new_file_makes_it_dirty(checkout: Path, file: str) -> None:
    (checkout / file).write_text("changed")
    assert environment.git_state(checkout)["dirty"] is True


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    assert environment.git_state(tmp_path) == {"commit": None, "dirty": None, "branch": None}


def test_without_the_git_program_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert environment.git_state(checkout)["commit"] is None


def test_versions_hardware_and_command_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/sentexp", "seed=1", "tracking.uri=mysql://a:secret@b"])
    found = environment.describe()
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["torch"] == torch.__version__
    assert found["hardware"]["cpus"] >= found["hardware"]["usable_cpus"] >= 1
    assert found["hardware"]["gpus"] == [] or torch.cuda.is_available()
    assert found["command"] == "sentexp seed=1 'tracking.uri=mysql://a:***@b'"
    assert json.loads(json.dumps(found)) == found


def test_what_was_started_is_described_without_torch() -> None:
    program = (
        "import sys; from sentexp.tracking.environment import *; print(*describe_program(), 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["git", "versions", "command", "folder", "False"]


def test_the_log_of_a_run_is_the_file_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    handlers = [logging.FileHandler(tmp_path / name) for name in ("other/a.log", "sentexp.log")]
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    try:
        assert environment.log_file(tmp_path) == tmp_path / "sentexp.log"
        assert environment.log_file(tmp_path / "no log") is None
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
