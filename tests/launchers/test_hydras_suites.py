"""Hydra's own tests for launchers, by its own sweeper."""

from __future__ import annotations

import sys

import pytest
from driving import LAUNCHERS
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite
from omegaconf import OmegaConf

from sentexp.config import conf_dir

pytestmark = pytest.mark.usefixtures("logging_as_before")

FOUND = f"hydra.searchpath=[file://{conf_dir()}]"


@pytest.mark.parametrize("launcher_name", LAUNCHERS)
class TestLaunchers(LauncherTestSuite):
    @pytest.fixture
    def overrides(self):
        return [FOUND, "hydra.job.chdir=true"]  # which the suite's tests expect, as Hydra 1.1 did

    @pytest.fixture(autouse=True)
    def _nothing_left(self):
        yield
        OmegaConf.clear_resolver("my_custom_resolver")
        if "ray" in sys.modules:
            sys.modules["ray"].shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
class TestPrograms(IntegrationTestSuite):
    @pytest.fixture
    def task_launcher_cfg(self):
        return {}

    @pytest.fixture
    def extra_flags(self, launcher):
        return ["-m", FOUND, f"hydra/launcher={launcher}"]
