"""The program `sentexp`, also `python -m sentexp`: trains by default; the first word can name another command.

`training` is the part of Hydra, `commands` lists the other commands, and each of them has a module of its name.
"""

from __future__ import annotations

import gc
import os
import sys

from sentexp.cli import commands, training
from sentexp.cli.exits import errors_as_one_line
from sentexp.errors import SentexpError
from sentexp.machine.signals import unwind_on_sigterm


def main() -> None:
    """Run the command line.

    The exit status is 0, 1 (the work failed), 2 (a mistake in what was asked), 130 (Ctrl-C), 143 (SIGTERM) or, where
    only printing was asked for, 141 (nobody reads it).
    """
    asked_for_tracebacks = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands us its exceptions instead of printing them itself
    try:
        with errors_as_one_line(tracebacks=asked_for_tracebacks):
            try:
                _run(sys.argv[1:])
            finally:
                sys.stdout.flush()
    finally:
        gc.freeze()  # Python's last collection would visit every object of torch and mlflow, for seconds


def _run(arguments: list[str]) -> None:
    unwind_on_sigterm()
    if not _folder_exists():
        raise SentexpError("the current folder has been deleted; expected another one: cd FOLDER")
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if commands.is_command(arguments):
        commands.run(arguments)
    elif not commands.completed(arguments):
        training.train(arguments[1:] if arguments[:1] == ["train"] else arguments)


def _folder_exists() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
