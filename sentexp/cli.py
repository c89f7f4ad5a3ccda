"""`sentexp` and `python -m sentexp`: from the command line to one run, or to one line that says what is wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sentexp.config import check, conf_dir
from sentexp.errors import SentexpError, Terminated, did_you_mean
from sentexp.machine.torchrun import rank
from sentexp.schema import Config


def main() -> None:
    """Run the command line; the exit status is 0, 1 (the run failed), 2 (a mistake in what was asked), 130 or 143."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra hands us its exceptions instead of printing them itself
    signal.signal(signal.SIGTERM, _terminated)
    if rank() > 0:  # it trains along; rank 0 has the output folder and the words
        sys.argv += ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"]
    try:
        _main()
    except SentexpError as error:
        _refuse(str(error), error.exit_status)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(explain(error, sys.argv[1:]), 2)
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # how Hydra greets trainer=3
            raise
        _refuse(f"{error}: expected group=option", 2)
    except KeyboardInterrupt:
        _refuse("interrupted", 128 + signal.SIGINT)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _main(composed: DictConfig) -> float | None:
    try:
        config = check(composed)
        from sentexp import runner  # torch and its like are imported only once the configuration is accepted
        from sentexp.sweep import job

        hydra_config = HydraConfig.get()
        chosen: dict[str, str | None] = dict(hydra_config.runtime.choices)
        if config.shapes:
            print(runner.show_shapes(config))
            return None
        sweep = job.current()
        result = runner.run(
            config,
            overrides=list(hydra_config.overrides.task),
            choices={group: choice for group, choice in chosen.items() if not group.startswith("hydra/")},
            output_dir=Path(hydra_config.runtime.output_dir),
            name=sweep.name if sweep is not None else None,
            on_start=sweep.begin if sweep is not None else None,
            on_epoch=sweep.epoch if sweep is not None else None,
        )
        if sweep is not None and result is not None:
            sweep.finish(result.metrics)
        return result.metrics["best/valid_accuracy"] if result is not None else None
    except SentexpError as error:
        if HydraConfig.get().mode == RunMode.RUN:
            _refuse(str(error), error.exit_status)  # before Hydra adds its own lines
        raise


class CheckBeforeRun(Callback):
    """Refuses a wrong configuration before Hydra makes an output folder for it."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        without_hydra = config.copy()
        with open_dict(without_hydra):
            without_hydra.pop("hydra", None)
        try:
            check(without_hydra)
        except SentexpError as error:
            _refuse(str(error), error.exit_status)


def explain(error: Exception, arguments: Iterable[str]) -> str:
    """Hydra's or OmegaConf's exception as one line: the key, the value, what was expected, the nearest valid name."""
    given = dict(argument.lstrip("+~").partition("=")[::2] for argument in arguments if "=" in argument)
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={option}: not one of {', '.join(error.options)}{did_you_mean(option, error.options)}"
    cause = error.__cause__
    if isinstance(error, ConfigCompositionException) and isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        full_key, parent = str(cause.full_key), cause.parent_node
        siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
        return _no_such_key(full_key, given.get(full_key), siblings)
    if isinstance(error, OverrideParseException):
        key = error.override.partition("=")[0]
        return f"{error.override}: not Hydra's override syntax; expected key=value, or {key}=\"'...'\" around a text"
    message = str(error)
    if "No match in the defaults list" in message:
        group = message.split("'")[1]
        return _no_such_key(group, given.get(group), [str(name) for name in OmegaConf.structured(Config)])
    lines = [line.strip() for line in (message, str(cause or "")) for line in line.splitlines() if line.strip()]
    return "; ".join(lines[:2])


def _no_such_key(full_key: str, value: str | None, siblings: list[str]) -> str:
    shown = full_key if value is None else f"{full_key}={value}"
    name = full_key.rpartition(".")[2]
    siblings = sorted(sibling for sibling in siblings if not sibling.startswith("_") and sibling != "hydra")
    there_are = f" (there are {', '.join(siblings)})" if siblings else ""
    return f"{shown}: no such key{did_you_mean(name, siblings)}{there_are}"


def _refuse(message: str, exit_status: int) -> NoReturn:
    sys.stdout.flush()
    print(f"sentexp: {message}", file=sys.stderr)
    raise SystemExit(exit_status)


def _terminated(signal_number: int, _frame: Any) -> NoReturn:
    raise Terminated(128 + signal_number)  # unwinds like Ctrl-C does, so that the run is recorded as killed
