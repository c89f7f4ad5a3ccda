"""The files of a trained model's folder that every kind of model has: its configuration, its labels, its checksums.

A folder may come from anyone: what it says is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import sentexp
from sentexp.atomic import whole_file
from sentexp.bounded_yaml import loaded
from sentexp.checksums import altered, digest_of, read_checksums, write_checksums
from sentexp.errors import SentexpError, one_line
from sentexp.lines import from_lines, to_lines
from sentexp.redact import without_passwords

CONFIG, LABELS, FACTS = "config.yaml", "labels.txt", "model.json"

MEMBERS = "members"
"""Folder of the models of an ensemble, in its own folder."""

FORMAT = 1
"""Version of the folder's format: raised when an older version of this package could no longer read it."""


def write_texts(folder: Path, config: Mapping[str, Any], labels: Sequence[str]) -> None:
    """Write CONFIG, without passwords, and LABELS, one per line in the order of the model's classes."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(without_passwords(dict(config)), sort_keys=False, allow_unicode=True)
    with whole_file(folder / CONFIG) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    with whole_file(folder / LABELS) as unfinished:
        unfinished.write_bytes(to_lines(labels))


def write_facts(folder: Path, names: Iterable[str]) -> None:
    """Write FACTS: the version of the format, and the SHA-256 of each named file."""
    write_checksums(folder / FACTS, names, format=FORMAT, sentexp=sentexp.__version__)


def model_digest(folder: Path) -> str:
    """Return the SHA-256 by which a saved model is told from others: that of the file with those of all others."""
    return digest_of(folder / FACTS)


def check_files(folder: Path, names: Sequence[str]) -> None:
    """Raise SentexpError unless all of `names` are there and each file is what was saved.

    A model of an earlier version has no checksums.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise SentexpError(f"{folder}: not a trained model; expected {', '.join(missing)} in it")
    path = folder / FACTS
    if not path.is_file():
        return
    try:
        facts = read_checksums(path)
    except ValueError as error:
        raise SentexpError(f"{path}: damaged: {one_line(error)}") from error
    if facts.get("format") != FORMAT:
        made_by, known = facts.get("sentexp"), f"version {sentexp.__version__}, which knows format {FORMAT}"
        raise SentexpError(f"{path}: format {facts.get('format')}, of sentexp {made_by}; this is {known}")
    for name in altered(folder, facts["sha256"]):
        raise SentexpError(f"{folder / name}: altered or damaged since the model was saved: its SHA-256 is another one")


def read_labels(path: Path) -> list[str]:
    """Read labels.txt. Raises SentexpError if it is damaged or holds fewer than two labels."""
    try:
        labels = from_lines(path.read_bytes())
    except ValueError as error:
        raise SentexpError(f"{path}: damaged: {one_line(error)}; expected text in UTF-8") from error
    if len(labels) < 2:
        raise SentexpError(f"{path}: holds {len(labels)} label; expected two or more, one per line")
    return labels


def read_configs(folder: Path) -> list[dict[str, Any]]:
    """Return the configuration in `folder` and those of its members, if it has any; raises as `read_config` does."""
    return [read_config(one) for one in (folder, *sorted(folder.glob(f"{MEMBERS}/*")))]


def read_config(folder: Path, groups: Sequence[str] = ()) -> dict[str, Any]:
    """Return the configuration in `folder`. Raises SentexpError if it is damaged or lacks one of the `groups`."""
    path = folder / CONFIG
    try:
        config = loaded(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SentexpError(f"{path}: damaged: {one_line(error)}; expected YAML") from error
    found = config if isinstance(config, Mapping) else {}
    absent = [group for group in groups if not isinstance(found.get(group), Mapping)]
    if absent or not found:
        raise SentexpError(f"{path}: not a configuration of a run; expected {', '.join(absent) or 'keys'} in it")
    return dict(found)
