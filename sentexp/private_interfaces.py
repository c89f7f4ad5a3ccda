"""Every use that sentexp and hydra_plugins make of a private interface of a library, and what would make it needless.

A new version of these libraries may break what stands here, and nothing else. Two more uses are of public names, but
their documentation says that they are not for users of the library:

- the methods of `optuna.storages.BaseStorage`. `SweepStorage` calls them, because a study itself cannot create a trial
  with all its attributes in one write and return its number, nor change the attributes of a trial that another process
  created. A `Study.add_trial` that returns the number, and a `Study` method that sets the attributes of a trial by its
  number, would do.
- `optuna.storages.journal.JournalFileOpenLock`. `JournalLock` derives from it, because the base class of all locks is
  private. A public `BaseJournalFileLock` would do.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    import optuna


def runs_in_this_process(launcher: Launcher) -> bool:
    """Return True for Hydra's own launcher, which runs each job in the driver's process.

    Hydra has no public name for its class, and launchers have no attribute that tells where their jobs run.
    """
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    return isinstance(launcher, BasicLauncher)


def return_value(result: JobReturn) -> Any:
    """Return what a job returned, or the exception that it failed with.

    The public `JobReturn.return_value` raises that exception, and prints a line of its own first. An attribute
    `JobReturn.exception` would do.
    """
    return result._return_value


def is_being_spawned() -> bool:
    """Return True in a process that multiprocessing has started and that has not yet read what it is to do.

    Until then it runs the program's main module once more, without the main guard's part. The module tells so only by
    raising RuntimeError when such a process starts another one. A public name for the mark would do.
    """
    return getattr(multiprocessing.current_process(), "_inheriting", False)


class _Refusal(Exception):
    """What is wrong with the words of a command line."""


def parsed(arguments: Sequence[str]) -> argparse.Namespace | str:
    """Return the options among the words of a command line as Hydra reads them, or what is wrong with the words.

    Hydra itself answers a wrong option with its usage, eight lines long. A public name for its parser would do.
    """
    from hydra._internal.utils import get_args_parser

    def refuse(message: str) -> NoReturn:
        raise _Refusal(message)

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    try:
        return parser.parse_args(list(arguments))
    except _Refusal as refusal:
        return str(refusal)


def list_groups_quickly() -> None:
    """Let Hydra copy its configuration sources once to list the groups for its help, not once per group and question.

    The sources do not change in between, so the help stays the same; 105 copies take almost half of its time. A help of
    Hydra's that copies them once would do.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    copy = ConfigLoaderImpl._parse_overrides_and_create_caching_repo
    copies: dict[tuple[Any, ...], Any] = {}

    def copy_once(loader: ConfigLoaderImpl, config_name: str | None, overrides: list[str]) -> Any:
        key = (id(loader), config_name, *overrides)
        if key not in copies:
            copies[key] = copy(loader, config_name, overrides)
        return copies[key]

    ConfigLoaderImpl._parse_overrides_and_create_caching_repo = copy_once  # type: ignore[assignment, method-assign]


def trial_in_progress(study: optuna.Study, trial_id: int) -> optuna.Trial:
    """Return a trial as the object that metrics are reported to.

    Optuna makes one in `Study.ask` and `Study.optimize` only, and its documentation discourages making one directly.
    But a job reports from another process than the one that asked. A `Study` method that returns the running trial of a
    given number would do.
    """
    import optuna

    return optuna.Trial(study, trial_id)
