"""Hydra's own tests for sweepers, of our sweeper with Hydra's own launcher."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite
from omegaconf import OmegaConf, flag_override

from sentexp.config import conf_dir
from sentexp.errors import SweepFailed

pytestmark = pytest.mark.usefixtures("logging_as_before")

SECTION = OmegaConf.load(conf_dir() / "sweep" / "default.yaml")
OVERRIDES = [f"hydra.searchpath=[file://{conf_dir()}]", "hydra/sweeper=sentexp", "hydra.sweeper.check=null"]


@pytest.fixture
def with_our_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the section `sweep`, which the suites' own configurations lack."""
    instantiate = Plugins.instantiate_sweeper

    def completed(self, *, config, **others):
        config = config.copy()
        with flag_override(config, "struct", False):
            config.sweep = SECTION
        return instantiate(self, config=config, **others)

    monkeypatch.setattr(Plugins, "instantiate_sweeper", completed)


@pytest.fixture
def overrides() -> list[str]:
    return [*OVERRIDES, "hydra.job.chdir=true"]  # which the suites' tests expect, as Hydra 1.1 did


@pytest.mark.usefixtures("with_our_section")
@pytest.mark.parametrize("launcher_name", ["basic"])
class TestSweeper(LauncherTestSuite):
    @pytest.fixture(autouse=True)
    def _no_resolver_left(self):
        yield
        OmegaConf.clear_resolver("my_custom_resolver")

    @pytest.mark.xfail(strict=True, raises=SweepFailed, reason="its job returns a text, by which no points compare")
    def test_sweep_with_custom_resolver(self, hydra_sweep_runner, launcher_name, overrides, tmpdir):
        super().test_sweep_with_custom_resolver(hydra_sweep_runner, launcher_name, overrides, tmpdir)


@pytest.mark.usefixtures("with_our_section")
@pytest.mark.parametrize("launcher_name", ["basic"])
class TestBatches(BatchedSweeperTestSuite):
    @pytest.mark.xfail(strict=True, raises=AssertionError, reason="we start a job when one has ended, not in batches")
    def test_sweep_2_jobs_2_batches(self, hydra_sweep_runner, launcher_name, overrides, tmpdir):
        super().test_sweep_2_jobs_2_batches(hydra_sweep_runner, launcher_name, overrides, tmpdir)


@pytest.mark.slow
class TestPrograms(IntegrationTestSuite):
    @pytest.fixture
    def task_launcher_cfg(self):
        return {"sweep": SECTION}

    @pytest.fixture
    def extra_flags(self):
        return ["-m", *OVERRIDES]

    def generate_custom_cmd(self):
        def command(words: list[str], filename: str) -> list[str]:
            # the suite's program returns nothing, where ours returns what its point is compared by
            program = Path(filename)
            program.write_text(program.read_text().replace("\n\nif __name__", "    return 0.0\n\nif __name__"))
            # and one test runs two programs into one folder, where we refuse a second sweep
            shutil.rmtree("cli_dir", ignore_errors=True)
            return words

        return command
