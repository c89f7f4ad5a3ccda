"""sweep.yaml, the file that makes a folder a sweep's: what the sweep was asked to do, for resume and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from sentexp.atomic import whole_file
from sentexp.bounded_yaml import loaded
from sentexp.errors import SentexpError
from sentexp.redact import flatten
from sentexp.sweep.field_types import misfit
from sentexp.tracking.interface import Location

FILE = "sweep.yaml"
JOURNAL = "study.journal"

MAY_CHANGE = ("sweep.n_trials", "sweep.max_failures", "sweep.n_jobs", "sweep.resume", "sweep.trust", "cache_dir")
"""Keys that may have another value when a sweep is resumed: no result depends on them."""


@dataclass(frozen=True)
class Manifest:
    id: str
    """Names the sweep wherever its folder is moved to."""
    name: str
    arguments: list[str]
    """The arguments that followed `-m`, without Hydra's own keys."""
    hydra_arguments: list[str]
    """Arguments with Hydra's own keys."""
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
    """MLflow's id of the run that records the whole sweep."""
    page: str | None = None
    """Address of that run's page; see `Location.page`."""
    ui_command: str | None = None
    """Shell command that opens MLflow's pages; see `Location.ui_command`."""

    def write(self, folder: Path) -> None:
        """Write the file, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / FILE) as unfinished:
            text = yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True)
            unfinished.write_text(text, encoding="utf-8")

    @staticmethod
    def read(folder: Path) -> Manifest:
        """Read the file of a sweep's folder. Raises SentexpError if there is none."""
        try:
            found = loaded((folder / FILE).read_text(encoding="utf-8"))
            # a sweep that an earlier version began lacks fields that have come since
            kept = {field.name: found[field.name] for field in fields(Manifest) if field.name in found}
            wrong = misfit(kept, Manifest)
            if wrong is not None:
                raise TypeError(wrong)
            return Manifest(**kept)
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise SentexpError(f"{folder}: no sweep; expected a folder that holds {FILE} and {JOURNAL}") from error

    def storage_of(self, folder: Path) -> str:
        """Return the journal file or database URL in which the study lies."""
        return self.storage or str(folder / JOURNAL)

    def with_parent(self, parent: Location) -> Manifest:
        """Return the manifest with where the run is that records the whole sweep."""
        return replace(self, parent_run_id=parent.run_id, page=parent.page, ui_command=parent.ui_command)


def find(given: str, root: Path, key: str = "") -> Path:
    """Return the sweep's folder that `given` names, where `latest` is the newest one under `root`.

    Raises SentexpError if there is none; `key` stands before `given` in its message.
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
    """Return the recorded arguments with those replaced that `given` has the same key as, and with its new ones."""
    given = [argument for argument in given if argument not in recorded]
    keys = {_key(argument) for argument in given} | {"sweep.trust"}  # which is for whoever resumes it to say
    kept = [argument for argument in recorded if _key(argument) not in keys]
    return [*kept, *(argument for argument in given if _key(argument) not in ("sweep.resume", "sweep.trust"))]


def merged_hydra(recorded: Sequence[str], given: Sequence[str]) -> list[str]:
    """Merge arguments with Hydra's own keys. A new launcher drops the keys of the old one.

    Raises SentexpError for a change of anything else than the launcher.
    """
    if any(_key(argument) == "hydra/launcher" for argument in given):
        recorded = [argument for argument in recorded if not _is_launcher_key(argument)]
    for argument in given:
        if not _is_launcher_key(argument) and argument not in recorded and _key(argument) != "hydra.mode":
            raise SentexpError(f"{argument}: a sweep is resumed with the keys it had; expected none, or a launcher")
    return merged(recorded, [argument for argument in given if _is_launcher_key(argument)])


def differences(then: Mapping[str, Any], now: Mapping[str, Any], arguments: Sequence[str] = ()) -> list[str]:
    """Return `key: then -> now` for each value that has changed and must not.

    A key that has come with a later version is no change as long as it is an empty mapping, or stands in a section that
    had other keys and is not among the `arguments`.
    """
    old, new, typed = flatten(then), flatten(now), set(map(_key, arguments))
    sections = {key.rpartition(".")[0] for key in old if "." in key}
    came_later = {key for key in new if key not in old and key.rpartition(".")[0] in sections and key not in typed}
    keys = [key for key in dict.fromkeys([*old, *new]) if key not in MAY_CHANGE and key not in came_later]
    return [
        f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}"
        for key in keys
        if old.get(key, "{}") != new.get(key, "{}")
    ]


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")


def _is_launcher_key(argument: str) -> bool:
    return _key(argument) == "hydra/launcher" or _key(argument).startswith("hydra.launcher.")
