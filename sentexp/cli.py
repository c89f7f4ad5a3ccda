"""`sentexp` and `python -m sentexp`: from the command line to one run, or to one line that says what is wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from sentexp.config import check, conf_dir
from sentexp.errors import SentexpError
from sentexp.explain import mistakes_explained
from sentexp.machine.signals import unwind_on_sigterm
from sentexp.machine.torchrun import rank
from sentexp.private_interfaces import list_groups_quickly

HELP = {"--help", "-h", "--hydra-help"}


def main() -> None:
    """Run the command line.

    The exit status is 0, 1 (the run failed), 2 (a mistake in what was asked), 130 (Ctrl-C) or 143 (SIGTERM).
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra hands us its exceptions instead of printing them itself
    unwind_on_sigterm()
    if rank() > 0:  # it trains along; rank 0 writes the output folder and prints
        sys.argv += ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"]
    if HELP & set(sys.argv[1:]):
        list_groups_quickly()
    with _errors_as_one_line(), mistakes_explained(sys.argv[1:]):
        _main()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _main(composed: DictConfig) -> float | None:
    hydra_config = HydraConfig.get()
    # a single run ends here, before Hydra adds its own lines; a job's error goes to its sweep
    with _errors_as_one_line() if hydra_config.mode == RunMode.RUN else nullcontext():
        config = check(composed)
        from sentexp import runner  # torch and its like are imported only once the configuration is accepted
        from sentexp.sweep import job_reporter

        chosen: dict[str, str | None] = dict(hydra_config.runtime.choices)
        if config.shapes:
            print(runner.show_shapes(config))
            return None
        reporter = job_reporter.current()
        result = runner.run(
            config,
            overrides=list(hydra_config.overrides.task),
            choices={group: choice for group, choice in chosen.items() if not group.startswith("hydra/")},
            output_dir=Path(hydra_config.runtime.output_dir),
            name=reporter.name if reporter is not None else None,
            on_start=reporter.begin if reporter is not None else None,
            on_epoch=reporter.epoch if reporter is not None else None,
        )
        if reporter is not None and result is not None:
            reporter.finish(result.metrics)
        return result.metrics["best/valid_accuracy"] if result is not None else None


class CheckBeforeRun(Callback):
    """Refuses a wrong configuration before Hydra makes an output folder for it."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        without_hydra = config.copy()
        with open_dict(without_hydra):
            without_hydra.pop("hydra", None)
        with _errors_as_one_line():
            check(without_hydra)


@contextmanager
def _errors_as_one_line() -> Iterator[None]:
    """End the program with one line and an exit status where the block raises SentexpError, or at Ctrl-C."""
    try:
        yield
    except SentexpError as error:
        message, exit_status = str(error), error.exit_status
    except KeyboardInterrupt:
        message, exit_status = "interrupted", 128 + signal.SIGINT
    else:
        return
    sys.stdout.flush()
    print(f"sentexp: {message}", file=sys.stderr)
    raise SystemExit(exit_status)
