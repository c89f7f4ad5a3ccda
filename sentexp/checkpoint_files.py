"""Checkpoints as files of a run's output folder: written whole or not at all, and taken only if they are undamaged.

A checkpoint is two files in `checkpoints/`: step-0000000123.pt with the state, and step-0000000123.json with facts
about the run and both digests. The second is written last, so a checkpoint without it is none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentexp import locks
from sentexp.atomic import whole_file
from sentexp.checksums import digest_of
from sentexp.errors import SentexpError, one_line

log = logging.getLogger(__name__)

FOLDER = "checkpoints"

KEPT = 2
"""Checkpoints that are kept: if the newest is damaged, the one before it is taken."""

FORMAT = 1
"""Version of the files' format: raised when an older version of this package could no longer read them."""


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that is as it was written."""

    state: Path
    """File with the state of the training."""
    facts: dict[str, Any]
    """What was given to `write`."""


def write(output: Path, step: int, write_state: Callable[[Path], object], facts: Mapping[str, Any]) -> None:
    """Write the checkpoint of a step, then remove the oldest ones. `write_state` is called with the path to write to.

    Raises OSError as writing does; the older checkpoints are there then.
    """
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / f"step-{step:010}.pt"
    with whole_file(state, durable=True) as unfinished:
        write_state(unfinished)
    content = {"format": FORMAT, "state": digest_of(state), "facts": facts}
    with whole_file(state.with_suffix(".json"), durable=True) as unfinished:
        unfinished.write_text(json.dumps({"content": content, "sha256": _digest(content)}), encoding="utf-8")
    found = _newest_first(output)
    own = found.index(state.with_suffix(".json"))  # before it, what was damaged: the training has gone on from earlier
    for path in [*found[:own], *found[own:][KEPT:]]:
        _remove(path)
    _tidy(folder)


def newest(output: Path) -> CheckpointFile:
    """Return the newest checkpoint in the output folder of a run that is as it was written; say which are not.

    Raises SentexpError if there is none.
    """
    found = _newest_first(output)
    for number, path in enumerate(found, 1):
        try:
            return CheckpointFile(path.with_suffix(".pt"), _read(path))
        except (OSError, ValueError, KeyError, TypeError) as error:
            rest = "the one before it is taken" if number < len(found) else "there is no other"
            log.warning("%s: damaged (%s); %s", path, one_line(error), rest)
    if found:
        raise SentexpError(f"{output / FOLDER}: all checkpoints are damaged; the training can only begin anew")
    if not output.is_dir():
        raise SentexpError(f"{output}: no such folder; expected the output folder of a run")
    raise SentexpError(
        f"{output}: no checkpoint in it; expected that of a run that was stopped (this one has finished, or was killed "
        "before its first checkpoint)"
    )


def there(output: Path) -> bool:
    """Return True if the output folder of a run holds a checkpoint."""
    return bool(_newest_first(output))


@contextmanager
def held(output: Path) -> Iterator[None]:
    """Hold a run's output folder inside the block. Raises SentexpError if another process holds it."""
    output.mkdir(parents=True, exist_ok=True)
    refused = f"{output}: the run in it goes on; expected one that has ended, or another folder"
    with locks.held(output / ".run.lock", refused=refused):
        yield


def remove(output: Path) -> None:
    """Remove all checkpoints of a run."""
    for path in _newest_first(output):
        _remove(path)
    _tidy(output / FOLDER)
    with suppress(OSError):
        (output / FOLDER).rmdir()


def _newest_first(output: Path) -> list[Path]:
    if (output / FOLDER).is_symlink():  # to what may be another run's
        return []
    return sorted((output / FOLDER).glob("step-*.json"), reverse=True)


def _read(path: Path) -> dict[str, Any]:
    whole = json.loads(path.read_text(encoding="utf-8"))
    content = whole["content"]
    if _digest(content) != whole["sha256"]:
        raise ValueError("its SHA-256 is another one")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}; this version knows format {FORMAT}")
    if digest_of(path.with_suffix(".pt")) != content["state"]:
        raise ValueError(f"the SHA-256 of {path.with_suffix('.pt').name} is another one")
    return content["facts"]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _tidy(folder: Path) -> None:
    """Remove what was being written when a run was killed."""
    if folder.is_symlink():
        return
    for left in [*folder.glob(".*.unfinished.step-*"), *folder.glob("step-*.pt")]:
        if left.name.startswith(".") or not left.with_suffix(".json").exists():
            left.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    for file in (path.with_suffix(".json"), path.with_suffix(".pt")):
        file.unlink(missing_ok=True)
