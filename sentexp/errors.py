"""Errors that the user can mend: each ends the program with one line and its exit status, never with a traceback.

Beside them, the two exceptions that end a run without a mistake.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from sentexp.lines import printable
from sentexp.redact import without_passwords

LONGEST_REASON = 300
"""Characters of another library's message that `one_line` keeps."""


class SentexpError(Exception):
    """A mistake in what the user gave us: a key, a value, a file, a row. The message names it and the way out.

    It is one line, whatever a key, a value or a path in it holds.
    """

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class TrainingDiverged(SentexpError):
    """The loss stopped being a finite number. The configuration was valid, so this is a failed run, not a refusal."""

    exit_status = 1


class SweepFailed(SentexpError):
    """Some jobs of a sweep failed, and the sweep has said which and why."""

    exit_status = 1


class CannotStart(SentexpError):
    """No process of a launcher gets as far as its first job. The jobs have not failed: a resumed sweep runs them."""

    exit_status = 1


class RunFailed(SentexpError):
    """A run that failed for want of memory, or in code of the user's own. Its cause is what was raised."""

    exit_status = 1


class Pruned(Exception):
    """Raised in a run that the pruner of its sweep stops; the run ends, and has not failed."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


class Terminated(SystemExit):
    """SIGTERM, as an exception that unwinds like Ctrl-C does."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return the tail of an error message: `; did you mean X?` with the nearest valid name, or "" if none is near."""
    near = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def nearest_path(path: str) -> str:
    """Return `; did you mean X?` with the nearest file or folder that exists where `path` does not, or ""."""
    here, parts = Path(), Path(path).expanduser().parts
    for place, part in enumerate(parts):
        if (here / part).exists():
            here /= part
            continue
        names = [entry.name for entry in here.iterdir()] if here.is_dir() and os.access(here, os.R_OK) else []
        near = difflib.get_close_matches(part, names, n=1, cutoff=0.5)
        whole = here.joinpath(near[0], *parts[place + 1 :]) if near else here
        return f"; did you mean {whole if whole.exists() else here / near[0]}?" if near else ""
    return ""


def one_line(error: BaseException) -> str:
    """Return an exception as one line, to stand in a message or a record.

    Our own exceptions say it all in their message. Any other gets its type in front: `KeyError: 'x'`. Passwords in
    addresses are left out, before a long message is cut: half of one would no longer be recognized.
    """
    message = " ".join(without_passwords(str(error)).split())
    if len(message) > LONGEST_REASON:
        message = f"{message[: LONGEST_REASON - 3]}..."
    name = type(error).__name__
    if not message:
        return name
    ours = type(error).__module__.startswith(("sentexp.", "hydra_plugins.sentexp"))
    return message if ours else f"{name}: {message}"
