"""`sentexp key=value ...`: from overrides to one run or a sweep, by Hydra."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

import sentexp
from sentexp import checkpoint_files, terminal
from sentexp.cli.exits import errors_as_one_line
from sentexp.config import check, conf_dir
from sentexp.errors import SentexpError, nearest_path
from sentexp.explain import mistakes_explained, only_in_a_sweep, placed
from sentexp.failures import failure_explained
from sentexp.machine.torchrun import rank
from sentexp.private_interfaces import list_groups_quickly, parsed
from sentexp.resume import KEY as RESUME
from sentexp.resume import key_of, recorded_overrides, resumed

log = logging.getLogger(__name__)

SHOWN = ("data", "tokenizer", "embedding", "model", "optimizer")
"""Groups whose choice the first line names."""


def train(arguments: list[str]) -> None:
    """Run Hydra on `arguments`: one run, a sweep, or what its options print."""
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
    if "${" in os.getcwd():
        folder = os.getcwd()
        raise SentexpError(f"{folder}: Hydra takes the ${{ in the folder's path for a reference; expected cd FOLDER")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise SentexpError(f"--config-dir {options.config_dir}: no such folder{nearest_path(options.config_dir)}")
    arguments = _going_on(arguments, options)
    further = rank() > 0  # it trains along; rank 0 writes the output folder and prints
    silent = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"] if further else []
    sys.argv = [sys.argv[0], *arguments, *silent]
    if shows_help:
        list_groups_quickly()
    with mistakes_explained(arguments):
        _main()


def _going_on(arguments: list[str], options: argparse.Namespace) -> list[str]:
    """Return the arguments of the run that trainer.resume names, in its own folder, and then these."""
    overrides: list[str] = options.overrides
    words = [word for word in arguments if word not in overrides]
    given = resumed(overrides)
    if given is None:
        return arguments
    if options.multirun:
        raise SentexpError(f"{RESUME}={given}: is for a single run; expected sweep.resume=FOLDER with -m")
    from sentexp.runs import stopped_run

    store = [override.partition("=")[2] for override in overrides if key_of(override) == "tracking.uri"]
    folder = stopped_run(given, tracking_uri=store[-1] if store else None).absolute()
    earlier = checkpoint_files.newest(folder).facts["config_dir"]
    if earlier is not None and options.config_dir is None:  # its files may name code, and the folder may be anyone's
        raise SentexpError(f"{RESUME}={given}: the run had --config-dir {earlier}; expected it in front of all keys")
    typed = [override for override in overrides if key_of(override) != RESUME]
    own_place = [] if any(key_of(one) == "hydra.run.dir" for one in typed) else [f"hydra.run.dir={_quoted(folder)}"]
    return [*words, *recorded_overrides([*typed, f"{RESUME}={_quoted(folder)}"]), *own_place]


def _quoted(path: Path) -> str:
    """Return a path as Hydra's grammar takes any text."""
    return "'" + str(path).replace("'", "\\'") + "'"


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
    with errors_as_one_line(log_file=output_dir / f"{hydra_config.job.name}.log") if single else nullcontext():
        config = check(composed, hydra_config)
        if single and rank() == 0 and not config.shapes:
            chosen = hydra_config.runtime.choices
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
                output_dir=output_dir,
                name=reporter.name if reporter is not None else None,
                resume=output_dir if reporter is not None and checkpoint_files.there(output_dir) else None,
                on_start=reporter.begin if reporter is not None else None,
                on_epoch=reporter.epoch if reporter is not None else None,
            )
            if reporter is not None and result is not None:
                reporter.finish(result.metrics, transductive=result.transductive)
            return result.metrics.get("best/valid_accuracy") if result is not None else None


class CheckBeforeRun(Callback):
    """Refuses a wrong configuration before Hydra makes an output folder for it."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        overrides, arguments = config.hydra.overrides, sys.argv[1:]
        without_hydra = config.copy()
        with open_dict(without_hydra):
            without_hydra.pop("hydra", None)
        with errors_as_one_line(), placed(arguments):
            # as they were typed: a list of OmegaConf's would resolve the references in them
            typed: Any = OmegaConf.to_container(overrides)
            problem = only_in_a_sweep([*typed["task"], *typed["hydra"]], arguments)
            if problem is not None:
                raise SentexpError(problem)
            check(without_hydra)
