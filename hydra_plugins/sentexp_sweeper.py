"""The class by which Hydra finds our sweeper.

Hydra imports this module at every start, so it imports nothing heavy.
"""

from __future__ import annotations

import logging
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sentexp.redact import without_passwords

log = logging.getLogger("sentexp.sweep")


class SentexpSweeper(Sweeper):
    """The target of conf/hydra/sweeper/sentexp.yaml; `sentexp.sweep.driver` does the work.

    `check` is the dotted path of a function that refuses a wrong configuration before the first run.
    """

    def __init__(self, check: str | None = None) -> None:
        self._check = check

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._task_function = task_function
        self._config = config

    def sweep(self, arguments: list[str]) -> Any:
        log.info("start of a sweep: %s", " ".join(without_passwords(arguments)))  # importing what follows takes seconds
        from sentexp.report.sweep.folder import write_sweep_report
        from sentexp.sweep.driver import sweep

        return sweep(
            arguments, self._config, self._context, self._task_function, self._check, write_report=write_sweep_report
        )
