"""The commands beside training, by their names; each is imported when it is called."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

import click
from click.shell_completion import ShellComplete

from sentexp import terminal
from sentexp.errors import SentexpError

COMMANDS = (
    "data", "predict", "evaluate", "compare", "ensemble", "explain", "export", "demo", "report", "record", "schema",
)  # fmt: skip
"""The module of each in this package has the click command `command`; `sentexp --help` (conf/hydra/help) says what it
does."""

TAKES_KEYS = ("data",)
"""Commands that take the keys and groups of training."""


class Commands(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return importlib.import_module(f"sentexp.cli.{name}").command if name in COMMANDS else None


PROGRAM = Commands("sentexp")


def is_command(arguments: Sequence[str]) -> bool:
    """Return True if the first of the words that follow `sentexp` names one of COMMANDS."""
    return arguments[:1] != [] and arguments[0] in COMMANDS


def run(arguments: Sequence[str]) -> None:
    """Run the command that `arguments` name. Raises SentexpError for a mistake in them, SystemExit if it failed."""
    terminal.outlive_output(goes_on=False)
    try:
        # not PROGRAM.main, which would answer Ctrl-C before we do
        with PROGRAM.make_context("sentexp", list(arguments)) as context:
            status = PROGRAM.invoke(context)
    except click.exceptions.Exit as ended:
        status = ended.exit_code
    except click.ClickException as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        raise SentexpError(f"{arguments[0]}: {message}; see sentexp {arguments[0]} --help") from error
    if status:
        raise SystemExit(status)


def completed(arguments: Sequence[str]) -> bool:
    """Print what may follow if the shell asks, through Hydra's tab completion, for a command or a word behind one.

    Returns False if keys and groups may follow as well; Hydra then sees the line without the command.
    """
    if arguments[:1] not in (["-sc"], ["--shell-completion"]) or not arguments[-1].startswith("query="):
        return False
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    before, begun = (words[1:], "") if line.endswith(" ") else (words[1:-1], words[-1])
    if before and not is_command(before):
        return False
    found = ShellComplete(PROGRAM, {}, "sentexp", "").get_completions(before, begun)
    print(*(item.value for item in found), sep="\n")
    if before and before[0] in TAKES_KEYS and not begun.startswith("-"):
        os.environ["COMP_LINE"] = line.replace(f" {before[0]}", "", 1)
        return False
    return bool(before)
