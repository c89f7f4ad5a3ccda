"""Every example of CONTRIBUTING.md runs, on small data."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```(?:python|yaml)\n# (mine/\S+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(
    r"^(sentexp .*)$", "\n".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)), re.M
)
SMALL = ["trainer.epochs=1", "trainer.processes=1", "tracking=none"]


def test_there_is_an_example_of_each_kind() -> None:
    assert {Path(name).parts[1] for name, _ in FILES if name.endswith(".yaml")} == {
        "model", "tokenizer", "optimizer", "schedule", "embedding", "data",
    }  # fmt: skip
    assert any("+evaluation.metrics." in command for command in COMMANDS)


def test_the_rooms_are_those_whose_imports_are_checked() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    layers = config["importlinter:contract:layers"]["layers"].strip().replace("sentexp.", "").splitlines()
    rows = re.findall(r"^\| (`.*?`) \| .* \|$", TEXT.partition("## Rooms")[2].partition("## ")[0], re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == [layer.split(" | ") for layer in layers]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_each_example_runs(command: str, tmp_path: Path) -> None:
    for name, content in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    small = [*SMALL, *([] if "data=" in command else ["data.size=200"])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    environment |= {"SENTEXP_CACHE_DIR": str(tmp_path / "cache"), "HF_DATASETS_CACHE": str(tmp_path / "datasets")}
    environment["PYTHONPATH"] = str(ROOT)
    # -c and not -m: the current folder must be found as it is by the command `sentexp`
    program = "import sys; sys.path.remove(''); from sentexp.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *shlex.split(command)[1:], *small],
        cwd=tmp_path, env=environment, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
    if "metrics" in command:
        assert "test brier" in done.stdout
