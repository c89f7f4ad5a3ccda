"""`sentexp` and `python -m sentexp`: from the command line to one run, or to one line that says what is wrong."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

import sentexp
from sentexp import terminal
from sentexp.config import check, conf_dir
from sentexp.errors import RunFailed, SentexpError, nearest_path
from sentexp.explain import mistakes_explained, only_in_a_sweep, placed
from sentexp.failures import failure_explained
from sentexp.machine.signals import unwind_on_sigterm
from sentexp.machine.torchrun import rank
from sentexp.private_interfaces import list_groups_quickly, parsed

log = logging.getLogger(__name__)

SHOWN = ("data", "tokenizer", "embedding", "model", "optimizer")
"""Groups whose choice the first line names."""

DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.EIO)
"""What the system answers where no other configuration would help: permissions, full devices."""


def main() -> None:
    """Run the command line.

    The exit status is 0, 1 (the run failed), 2 (a mistake in what was asked), 130 (Ctrl-C), 143 (SIGTERM) or,
    where only printing was asked for, 141 (nobody reads it).
    """
    asked_for_tracebacks = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands us its exceptions instead of printing them itself
    try:
        with _errors_as_one_line(tracebacks=asked_for_tracebacks):
            try:
                _run_command_line()
            finally:
                sys.stdout.flush()
    finally:
        gc.freeze()  # Python's last collection would visit every object of torch and mlflow, for seconds


def _run_command_line() -> None:
    unwind_on_sigterm()
    if sys.argv[1:2] == ["help"]:
        sys.argv[1] = "--help"
    arguments = sys.argv[1:]
    wants_version = "--version" in arguments  # Hydra's parser would print its own and exit
    options = "" if wants_version else parsed(arguments)
    shows_help = not isinstance(options, str) and (options.help or options.hydra_help)
    shows = shows_help or isinstance(options, str) or options.cfg or options.info or options.shell_completion
    terminal.outlive_output(goes_on=not shows and "shapes=true" not in arguments)
    if wants_version:
        print(f"sentexp {sentexp.__version__}\nHydra {hydra.__version__}")
        return
    if isinstance(options, str):
        raise SentexpError(_option_problem(options))
    if not _folder_exists():
        raise SentexpError("the current folder has been deleted; expected another one: cd FOLDER")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise SentexpError(f"--config-dir {options.config_dir}: no such folder{nearest_path(options.config_dir)}")
    if rank() > 0:  # it trains along; rank 0 writes the output folder and prints
        sys.argv += ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"]
    if shows_help:
        list_groups_quickly()
    with mistakes_explained(arguments):
        _main()


def _option_problem(problem: str) -> str:
    """Return Hydra's parser's words about the command line with the way out."""
    word = problem.removeprefix("unrecognized arguments: ")
    if word != problem and "=" in word and not word.startswith("-"):
        return f"{word}: behind an option that follows other keys; expected options such as -m in front of all keys"
    return f"{problem}; expected key=value, or one of the options that sentexp --hydra-help lists"


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _main(composed: DictConfig) -> float | None:
    hydra_config = HydraConfig.get()
    output_dir = Path(hydra_config.runtime.output_dir)
    single = hydra_config.mode == RunMode.RUN
    # a single run ends here, before Hydra adds its own lines; a job's error goes to its sweep
    with _errors_as_one_line(log_file=output_dir / f"{hydra_config.job.name}.log") if single else nullcontext():
        config = check(composed)
        chosen: dict[str, str | None] = dict(hydra_config.runtime.choices)
        if single and rank() == 0 and not config.shapes:
            log.info("start: %s", " ".join(f"{group}={chosen.get(group)}" for group in SHOWN))
        with failure_explained(config):
            with terminal.status("loading PyTorch"):  # and its like, only once the configuration is accepted
                from sentexp import runner
                from sentexp.sweep import job_reporter

            if config.shapes:
                print(runner.show_shapes(config))
                return None
            reporter = job_reporter.current()
            result = runner.run(
                config,
                overrides=list(hydra_config.overrides.task),
                choices={group: choice for group, choice in chosen.items() if not group.startswith("hydra/")},
                output_dir=output_dir,
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
        overrides, arguments = config.hydra.overrides, sys.argv[1:]
        without_hydra = config.copy()
        with open_dict(without_hydra):
            without_hydra.pop("hydra", None)
        with _errors_as_one_line(), placed(arguments):
            problem = only_in_a_sweep([*overrides.task, *overrides.hydra], arguments)
            if problem is not None:
                raise SentexpError(problem)
            check(without_hydra)


@contextmanager
def _errors_as_one_line(*, tracebacks: bool = False, log_file: Path | None = None) -> Iterator[None]:
    """End the program with one line and an exit status where the block raises SentexpError, or at Ctrl-C.

    So do the system's refusals. With `tracebacks` the traceback stands above the line; that of a RunFailed goes to
    `log_file`.
    """
    caught: BaseException
    try:
        yield
        return
    except SentexpError as error:
        message, exit_status, caught = str(error), error.exit_status, error
        if isinstance(error, RunFailed) and log_file is not None:
            message += _traceback_kept(error, log_file)
    except OSError as error:
        if error.errno not in DENIED:
            raise
        file = "" if error.filename is None else f": {error.filename}"
        message, exit_status, caught = f"{error.strerror}{file}", 1, error
    except KeyboardInterrupt as error:
        message, exit_status, caught = "interrupted", 128 + signal.SIGINT, error
    sys.stdout.flush()
    if tracebacks:
        traceback.print_exception(caught)
    print(f"sentexp: {message}", file=sys.stderr)
    raise SystemExit(exit_status)


def _traceback_kept(error: BaseException, log_file: Path) -> str:
    """Append the traceback to the run's log; return the words that say so."""
    try:
        with log_file.open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return ""
    return f"; traceback: {log_file}"


def _folder_exists() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
