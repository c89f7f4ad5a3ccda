from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from sentexp.config import conf_dir
from sentexp.sweep.manifest import Manifest
from sentexp.sweep.results import SweepResults
from sentexp.sweep.storage import open_storage

PROGRAM = '''
"""A program whose jobs cost nothing and fail as they are told."""

import os, signal, sys, time
from pathlib import Path

import hydra

from sentexp import cli
from sentexp.cli import training
from sentexp.sweep import job_reporter


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def task(config):
    time.sleep(config.sleep)
    with open("ran.txt", "a") as file:
        file.write(f"{config.x} {config.y} {config.seed}\\n")
    if "address" in config:
        Path("address.txt").write_text(config.address)
    fates = dict(word.split(":") for word in config.fates.split())
    fate = None if Path("mended").exists() else fates.get(str(config.x))
    if fate == "raise":
        raise RuntimeError("told to raise\\nand to say more")
    if fate == "exit":
        os._exit(3)
    if fate == "quit":
        sys.exit(4)
    if fate == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "nan":
        return float("nan")
    for epoch in range(1, config.epochs + 1):
        job_reporter.current().epoch({"valid/accuracy": config.x * epoch / 10}, epoch)
    if config.pair:
        return config.x, config.y
    return config.x + config.seed / 10 - config.y


if __name__ == "__main__":
    training._main = task
    cli.main()
'''

CONFIG = """
defaults: [sweep: default, _self_, override hydra/sweeper: unchecked, override hydra/hydra_logging: sentexp]
x: 0
y: 0
seed: 0
epochs: 0
sleep: 0
pair: false
fates: ''
hydra:
  searchpath: ['file://{conf}']
  job: {{chdir: false, name: app}}
"""


@dataclass(frozen=True)
class Ended:
    """How the program ended."""

    status: int
    said: str
    """Its standard output."""
    refused: str
    """Its error stream."""


@dataclass(frozen=True)
class App:
    """A folder with a program that can be swept."""

    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "HYDRA"))}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        return subprocess.Popen(
            [sys.executable, "app.py", "-m", *arguments],
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __call__(self, *arguments: str) -> Ended:
        program = self.start(*arguments)
        try:
            said, refused = program.communicate(timeout=300)
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
        return Ended(program.returncode, said, refused)

    @property
    def sweep(self) -> Path:
        """The folder of the only sweep."""
        (found,) = self.folder.rglob("sweep.yaml")
        return found.parent

    @property
    def results(self) -> SweepResults:
        return SweepResults.load(self.sweep)

    @property
    def study(self) -> optuna.Study:
        manifest = Manifest.read(self.sweep)
        return open_storage(manifest.storage_of(self.sweep), manifest.study).study

    @property
    def ran(self) -> list[str]:
        """One line per job that got as far as its work: x, y and the seed."""
        return (self.folder / "ran.txt").read_text().splitlines()

    def mend(self) -> None:
        """Let no job fail any more."""
        (self.folder / "mended").touch()


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text(CONFIG.format(conf=conf_dir()))
    sweeper = tmp_path / "conf" / "hydra" / "sweeper" / "unchecked.yaml"  # there is no schema to check it by
    sweeper.parent.mkdir(parents=True)
    sweeper.write_text("_target_: hydra_plugins.sentexp_sweeper.SentexpSweeper\n")
    (tmp_path / "app.py").write_text(PROGRAM)
    return App(tmp_path)


@pytest.fixture
def fates() -> Callable[..., str]:
    """`fates(x2="raise")` makes the jobs with x=2 raise."""
    return lambda **of: "fates='" + " ".join(f"{name[1:]}:{fate}" for name, fate in of.items()) + "'"
