"""The YAML files of a configuration: the package's own, and those in folders that the user adds."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from sentexp import defaults_list
from sentexp.bounded_yaml import TooMuch, composed
from sentexp.defaults_list import Entry
from sentexp.errors import SentexpError
from sentexp.schema import OPTIONS

PRESETS = "experiment"
"""Group of the presets. Their keys are those of the whole configuration, and the group itself is no key."""

PARTS = ("vocab", "trainer", "sweep")
"""Groups without a `_target_`: each option has all keys of its section."""


def conf_dir() -> Path:
    """Return the folder of the YAML files: inside the package when it is installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise SentexpError(f"no conf/config.yaml inside or beside {package}: is the installation whole?")


def options_of(group: str, folders: Sequence[Path]) -> list[str]:
    """Return the names of a group's options: the built-in ones, and those in the user's folders."""
    return sorted({path.stem for folder in (conf_dir(), *folders) for path in (folder / group).glob("*.yaml")})


def options_with(key: str, folders: Sequence[Path]) -> list[str]:
    """Return the names of the options of a key's group that have the key; none if it is in no group."""
    group, _, name = key.partition(".")
    options = options_of(group, folders) if name else []
    return [option for option in options if name.partition(".")[0] in _keys_of(group, option, folders)]


def _keys_of(group: str, option: str, folders: Sequence[Path]) -> set[str]:
    """Return the uppermost keys of an option, those of the options that it builds on among them."""
    keys: set[str] = set()
    waiting, seen = [option], set()
    while waiting:
        name = waiting.pop()
        paths = [folder / group / f"{name}.yaml" for folder in (conf_dir(), *folders)]
        for path in [path for path in paths if path.is_file() and name not in seen][:1]:
            seen.add(name)
            file = OwnFile(path, group)
            keys.update(file.keys)
            bases = [posixpath.split(entry.path(group)) for entry in file.defaults() if not entry.words]
            waiting += [base for folder, base in bases if folder == group]
    return keys - {"defaults"}


def own_folders(arguments: Sequence[str]) -> list[Path]:
    """Return the folders that --config-dir and hydra.searchpath name among the words of a command line."""
    found = []
    for word, following in zip(arguments, [*arguments, ""][1:], strict=True):
        name, _, value = word.partition("=")
        if name in ("--config-dir", "-cd"):
            found.append(value or following)
        elif name == "hydra.searchpath":
            found += re.findall(r"file://([^\],'\"]+)", value)
    return [Path(folder) for folder in found if Path(folder).is_dir()]


def ignored(folders: Sequence[Path]) -> Iterator[str]:
    """Yield a line for each of the user's files that Hydra never reads, because a built-in one has its name."""
    for folder in folders:
        for built_in in sorted(conf_dir().rglob("*.yaml")):
            own = folder / built_in.relative_to(conf_dir())
            if own.is_file() and own.read_bytes() != built_in.read_bytes():
                yield f"{shown(own)}: not read, since {shown(built_in)} has the same name; expected another name"


@dataclass(frozen=True)
class OwnFile:
    """A YAML file of the user's that the command line chooses."""

    path: Path
    group: str

    @cached_property
    def text(self) -> str:
        """Raises SentexpError if the file is not UTF-8."""
        content = self.path.read_bytes()
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise SentexpError(
                f"{shown(self.path)}, line {line}: not UTF-8; expected the file saved as UTF-8"
            ) from error

    @cached_property
    def root(self) -> yaml.Node | None:
        """The content, with the line of each key; None if it is empty or no YAML, which Hydra will say.

        Raises SentexpError for a file that means more values than any configuration has.
        """
        try:
            return composed(self.text)
        except TooMuch as error:
            raise SentexpError(f"{shown(self.path)}: {error}; expected keys and values written out") from None
        except yaml.YAMLError:
            return None

    @property
    def package(self) -> str | None:
        """What the file's `# @package` line says; None without one."""
        return defaults_list.package(self.text)

    @property
    def keys(self) -> dict[str, tuple[yaml.Node, int]]:
        """The uppermost keys, each with its value and its line."""
        return _keys(self.root)

    def defaults(self) -> Iterator[Entry]:
        """Yield the files that this one builds on or puts in the place of others."""
        return defaults_list.entries(self._defaults)

    @property
    def _defaults(self) -> yaml.Node | None:
        return self.keys.get("defaults", (None, 0))[0]

    def line_of(self, key: str) -> int | None:
        """Return the line where the file sets a key of the configuration; None if it does not."""
        package = {None: self.group.replace("/", "."), "_global_": ""}.get(self.package, self.package)
        if package and not key.startswith(f"{package}."):
            return None
        node, line = self.root, None
        for part in key[len(package) + 1 if package else 0 :].split("."):
            if part not in _keys(node):
                return None
            node, line = _keys(node)[part]
        return line

    def problems(self) -> Iterator[str]:
        """Yield what would be composed to something else than was meant: each with file, line and remedy."""
        file = shown(self.path)
        for line, problem in defaults_list.problems(self.text, self._defaults):
            yield f"{file}, line {line}: {problem}"
        if self.root is None and self.text.strip():
            return  # no YAML: Hydra will say where
        if self.root is not None and not isinstance(self.root, yaml.MappingNode):
            yield f"{file}, line {self.root.start_mark.line + 1}: no keys; expected lines such as `key: value`"
        elif self.group == PRESETS:
            if self.package is None:
                yield f"{file}, line 1: expected `# @package _global_` above all; without it the keys lie in {PRESETS}"
            for words, option, line in self.defaults():
                group = words.lstrip("/")
                if group in OPTIONS or group in PARTS:
                    meant = f"expected `- override /{group}: {option}`"
                    yield f"{file}, line {line}: `- {words}: {option}` replaces no other option; {meant}"
        elif self.package is None and "defaults" not in self.keys:
            yield from self._incomplete()

    def _incomplete(self) -> Iterator[str]:
        file, names = shown(self.path), set(self.keys)
        if self.group in self.keys and self.group in (*OPTIONS, *PARTS):
            line = self.keys[self.group][1]
            yield f"{file}, line {line}: expected the keys of {self.group} without `{self.group}:` above them"
        elif self.group in OPTIONS and "_target_" not in names:
            nearest = max(_built_in(self.group), key=lambda option: len(option.keys.keys() & names)).path.stem
            way_out = (
                f"`defaults: [{nearest}]` to change a built-in option, or `_target_: package.module.name` for your own"
            )
            yield f"{file}: says nowhere what it makes; expected {way_out}"
        elif self.group in PARTS:
            missing = set().union(*(option.keys for option in _built_in(self.group))) - names - {"defaults"}
            if missing:
                yield f"{file}: sets no {min(missing)}; expected `defaults: [default]` above its keys"


def chosen_files(arguments: Sequence[str], folders: Sequence[Path]) -> list[OwnFile]:
    """Return the user's files that `group=option` among the arguments choose, and those that they build on."""
    waiting: list[tuple[str, str]] = []
    for word in arguments:
        group, equals, options = word.lstrip("+").partition("=")
        if equals and re.fullmatch(r"[\w/]+", group):
            waiting += [(group, option) for option in options.split(",")]
    found: dict[Path, OwnFile] = {}
    while waiting:
        group, option = waiting.pop(0)
        for path in (folder / group / f"{option}.yaml" for folder in folders):
            # Path.is_file raises for a name that is too long
            if path in found or not os.path.isfile(path) or (conf_dir() / group / path.name).exists():
                continue
            found[path] = OwnFile(path, group)
            waiting += [posixpath.split(entry.path(group)) for entry in found[path].defaults()]
    return list(found.values())


def shown(path: Path) -> str:
    """Return a path as it is shortest from here."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class Reference(str):
    """A text that is a reference to an environment variable, also after it was written and composed again."""


def keeping_references(resolved: Any, raw: Any, variable: str = "", kind: type[str] = Reference) -> Any:
    """Return resolved values with the references to environment variables of their `raw` form, as texts of a kind.

    The pattern `variable` is searched for in the names of the variables.
    """
    if isinstance(raw, str) and re.search(rf"\$\{{oc\.env:\s*[^,}}]*?{variable}", raw):
        return kind(raw)
    if isinstance(raw, Mapping) and isinstance(resolved, Mapping):
        return {key: keeping_references(inner, raw.get(key), variable, kind) for key, inner in resolved.items()}
    if isinstance(raw, list) and isinstance(resolved, list):
        return [keeping_references(*both, variable, kind) for both in zip(resolved, raw, strict=True)]
    return resolved


def literal(values: Mapping[str, Any]) -> DictConfig:
    """Return plain values as a configuration in which `${` in a text is no reference, unless it is a Reference."""
    return OmegaConf.create(_escaped(dict(values)))


def literal_yaml(values: Mapping[str, Any]) -> str:
    """Return plain values as YAML from which they are composed again as they are; see `literal`."""
    return OmegaConf.to_yaml(literal(values))


def _escaped(value: Any) -> Any:
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value


def _built_in(group: str) -> list[OwnFile]:
    """Return the built-in options of a group, the one that is taken by default first."""
    taken = [option for words, option, _ in OwnFile(conf_dir() / "config.yaml", "").defaults() if words == group]
    paths = sorted((conf_dir() / group).glob("*.yaml"), key=lambda path: (path.stem not in taken, path.stem))
    return [OwnFile(path, group) for path in paths]


def _keys(node: Any) -> dict[str, tuple[yaml.Node, int]]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): (value, key.start_mark.line + 1) for key, value in node.value}
