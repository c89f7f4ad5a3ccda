"""sweep.yaml, by which a sweep folder is known: what the sweep was asked to do, kept for resume and reports."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from sentexp.errors import SentexpError
from sentexp.redact import flatten
from sentexp.sweep.settings import MAY_CHANGE

FILE = "sweep.yaml"
JOURNAL = "study.journal"


@dataclass(frozen=True)
class Manifest:
    id: str
    """Of this sweep, wherever its folder is moved to."""
    name: str
    arguments: list[str]
    """What followed `-m`, without Hydra's own keys."""
    hydra_arguments: list[str]
    """Hydra's own keys."""
    cwd: str
    config: dict[str, Any]
    """The composed configuration that the points change."""
    choices: dict[str, str]
    """The option chosen in each group."""
    launcher: str
    metrics: list[str]
    directions: list[str]
    swept: list[str]
    seeds: int
    storage: str | None
    """None: the journal in the folder."""
    study: str
    parent_run_id: str | None = None

    def write(self, folder: Path) -> None:
        """At once or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{FILE}.{uuid.uuid4().hex}.new"
        unfinished.write_text(yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True), encoding="utf-8")
        os.replace(unfinished, folder / FILE)

    @staticmethod
    def read(folder: Path) -> Manifest:
        try:
            found = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
            return Manifest(**{field.name: found[field.name] for field in fields(Manifest)})
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise SentexpError(f"{folder}: no sweep; expected a folder that holds {FILE} and {JOURNAL}") from error

    def storage_of(self, folder: Path) -> str:
        return self.storage or str(folder / JOURNAL)

    def with_parent(self, run_id: str | None) -> Manifest:
        return replace(self, parent_run_id=run_id)


def find(given: str, root: Path, key: str = "") -> Path:
    """The folder that `given` names; `latest` is the newest one under `root`.

    Raises SentexpError, which shows it behind `key`, as it was given.
    """
    if given != "latest":
        if not (Path(given) / FILE).is_file():
            raise SentexpError(f"{key}{given}: no sweep; expected a folder that holds {FILE}, or latest")
        return Path(given).absolute()
    found = sorted(root.glob(f"**/{FILE}"), key=lambda path: path.parent.stat().st_ctime)
    if not found:
        raise SentexpError(f"{key}latest: there is no sweep under {root}/; expected a folder that holds {FILE}")
    return found[-1].parent.absolute()


def merged(recorded: Sequence[str], given: Sequence[str]) -> list[str]:
    """The recorded arguments, with the given ones in the place of those of the same key."""
    given = [argument for argument in given if argument not in recorded]
    keys = {_key(argument) for argument in given}
    kept = [argument for argument in recorded if _key(argument) not in keys]
    return [*kept, *(argument for argument in given if _key(argument) != "sweep.resume")]


def merged_hydra(recorded: Sequence[str], given: Sequence[str]) -> list[str]:
    """The same for Hydra's own keys, of which only the launcher may change: another one forgets the old one's keys."""
    if any(_key(argument) == "hydra/launcher" for argument in given):
        recorded = [argument for argument in recorded if not _is_of_the_launcher(argument)]
    for argument in given:
        if not _is_of_the_launcher(argument) and argument not in recorded and _key(argument) != "hydra.mode":
            raise SentexpError(f"{argument}: a sweep is resumed with the keys it had; expected none, or a launcher")
    return merged(recorded, [argument for argument in given if _is_of_the_launcher(argument)])


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return `key: then -> now` for each value that has changed and must not.

    A key that has come with a later version, such as evaluation.metrics, is no change as long as it is empty.
    """
    old, new = flatten(then), flatten(now)
    keys = [key for key in dict.fromkeys([*old, *new]) if key not in MAY_CHANGE]
    return [
        f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}"
        for key in keys
        if old.get(key, "{}") != new.get(key, "{}")
    ]


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")


def _is_of_the_launcher(argument: str) -> bool:
    return _key(argument) == "hydra/launcher" or _key(argument).startswith("hydra.launcher.")
