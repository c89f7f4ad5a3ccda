"""Turns what Hydra and OmegaConf raise about a command line into one line each."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Sweep
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sentexp.config_files import chosen_files, ignored, options_of, options_with, own_folders, shown
from sentexp.errors import SentexpError, did_you_mean
from sentexp.schema import OPTIONS, Config

log = logging.getLogger(__name__)

OF_A_SWEEP = ("sweep", "hydra/sweeper", "hydra/launcher", "hydra.sweep", "hydra.sweeper", "hydra.launcher")
"""Groups and sections that a single run does not read."""

NO_COMMANDS = {
    "run": "needs no word; expected sentexp key=value ...",
    "sweep": "needs no word; expected sentexp -m key=value,value ...",
}
"""Words that people try, with the way out."""

HYDRAS_ANSWERS = {
    "Config group override must be": ": expected group=option",
    "Only one of --run, --multirun, --cfg": "; --cfg shows one run, without -m",
    "The --resolve flag can only": "",
    "Expecting one subcommand from": ", as in: sentexp -sc install=bash",
    "No completion plugin for": "",
}
"""Beginnings of Hydra's own refusals among all ValueErrors, each with what is added to it."""


@contextmanager
def mistakes_explained(arguments: Sequence[str]) -> Iterator[None]:
    """Let a mistake in `arguments`, the words of the command line, leave the block as a SentexpError of one line.

    with mistakes_explained(["model.hiden_size=3"]):
        composed = hydra.compose("config", overrides=["model.hiden_size=3"])

    So does a mistake in a YAML file of the user's that they choose; a file that is never read is warned about.
    """
    folders = own_folders(arguments)
    for line in ignored(folders):
        log.warning(line)
    files = chosen_files(arguments, folders)
    for file in files:
        for problem in file.problems():
            raise SentexpError(problem)
    try:
        with placed(arguments):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        raise SentexpError(explain(error, arguments)) from error
    except yaml.YAMLError as error:
        raise SentexpError(explain_yaml(error)) from error
    except RecursionError as error:
        listed = ", ".join(shown(file.path) for file in files)
        raise SentexpError(f"{listed}: defaults that lead back to where they stand; expected other options") from error
    except ValueError as error:
        for beginning, way_out in HYDRAS_ANSWERS.items():
            if str(error).startswith(beginning):
                raise SentexpError(f"{' '.join(str(error).split())}{way_out}") from error
        raise


@contextmanager
def placed(arguments: Sequence[str]) -> Iterator[None]:
    """Add file and line to a SentexpError about a key that one of the user's files sets, not the command line."""
    try:
        yield
    except SentexpError as error:
        place = _place(str(error), arguments) if type(error) is SentexpError else None
        if place is None:
            raise
        raise SentexpError(f"{error} (in {place})") from error


def explain(error: Exception, arguments: Sequence[str]) -> str:
    """Return Hydra's or OmegaConf's exception as one line: key, value, what was expected, the nearest valid name."""
    given = dict(argument.lstrip("+~").partition("=")[::2] for argument in arguments if "=" in argument)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(error, own_folders(arguments))
    message, cause = str(error), error.__cause__
    several = re.match(
        r"(?:Ambiguous value for argument|Sweep parameters) '(.*)'(?: requires --multirun)?$", message, re.M
    )
    if several:
        key, _, values = several[1].partition("=")
        as_list = f" ({key}=[{values}] would be one list)" if "." in key and "(" not in values else ""
        return f"{several[1]}: several values{as_list}; to run each, add -m: {with_m(arguments)}"
    full_key = missing_key(error)
    if full_key is not None:
        parent = cause.parent_node  # type: ignore[union-attr]
        siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
        composed = parent if "." not in full_key and isinstance(parent, DictConfig) else None
        folders = own_folders(arguments)
        return _not_with_every_option(full_key, given, folders) or no_such_key(
            full_key, given.get(full_key), siblings, composed, folders
        )
    if isinstance(error, OverrideParseException):
        return _no_override(error.override)
    if "No match in the defaults list" in message:
        group = message.split("'")[1]
        return no_such_key(group, given.get(group), [str(name) for name in OmegaConf.structured(Config)])
    lines = [line.strip() for line in (message, str(cause or "")) for line in line.splitlines() if line.strip()]
    return "; ".join(lines[:2])


def explain_yaml(error: yaml.YAMLError) -> str:
    """Return what is wrong with a YAML file as one line with file, line and remedy."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"{shown(Path(str(error.name)))}: {' '.join(str(error).split())}; expected text"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"YAML: {' '.join(str(error).split())}"
    mark = error.problem_mark or error.context_mark
    place = f"{_file_of(mark)}, line {mark.line + 1}" if mark is not None else "YAML"
    problem = " ".join(str(error.problem or error.context).split())
    if "\\t" in problem:
        return f"{place}: a tab; expected spaces in front of keys"
    if problem.startswith("found duplicate key"):
        return f"{place}: {problem.removeprefix('found ')}; expected each key once"
    since = error.context_mark
    begun = f" (begun in line {since.line + 1})" if mark and since and since.line != mark.line else ""
    return f"{place}: {problem}{begun}; expected `key: value`, with quotation marks around a text with : # [ or {{"


def _file_of(mark: yaml.Mark) -> str:
    return shown(Path(str(mark.name)))


def only_in_a_sweep(overrides: Sequence[str], arguments: Sequence[str]) -> str | None:
    """Return what is wrong if one of a single run's overrides belongs to sweeps, else None."""
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if any(key == section or key.startswith(f"{section}.") for section in OF_A_SWEEP):
            return f"{override}: a single run does not read it; for a sweep, add -m: {with_m(arguments)}"
    return None


def with_m(arguments: Sequence[str]) -> str:
    """Return the command line that makes a sweep of the arguments."""
    return shlex.join(["sentexp", "-m", *arguments])


def missing_key(error: Exception) -> str | None:
    """Return the full key that Hydra did not find, if that is what its exception says."""
    cause = error.__cause__
    known = isinstance(error, ConfigCompositionException) and isinstance(cause, (ConfigKeyError, ConfigAttributeError))
    return str(cause.full_key) if known else None  # type: ignore[union-attr]


def no_such_key(
    full_key: str,
    value: str | None,
    siblings: Sequence[str],
    composed: DictConfig | None = None,
    folders: Sequence[Path] = (),
) -> str:
    """Return the line that refuses a key.

    It names the options that have the key, or the nearest name beside it, or the full key of one elsewhere. `composed`
    is the whole configuration, if it is at hand; the keys of an option of the user's own are known from it and from
    their `folders`.
    """
    given = _set(full_key, value)
    name = full_key.rpartition(".")[2]
    siblings = sorted(sibling for sibling in siblings if not sibling.startswith("_") and sibling != "hydra")
    there_are = f" (there are {', '.join(siblings)})" if siblings else f"; expected +{full_key}=... to add it"
    having = options_with(full_key, folders)
    if having:
        return f"{given}: no such key; expected {_one_of(full_key, having)} beside it{there_are}"
    there = set(_flat("", OmegaConf.to_container(composed, resolve=False))) if composed is not None else set()
    elsewhere = _elsewhere(name, siblings, there)
    if elsewhere:
        keys = [f"{_set(key, value)}{'' if key in there else _beside(key, folders)}" for key in elsewhere]
        return f"{given}: no such key; did you mean {' or '.join(keys)}?"
    return f"{given}: no such key{did_you_mean(name, siblings)}{there_are}"


def _set(key: str, value: str | None) -> str:
    return key if value is None else f"{key}={value}"


def _one_of(key: str, options: Sequence[str]) -> str:
    """Return the override that chooses one of some options of a key's group, such as `model=gru or lstm`."""
    *others, last = options
    return f"{key.partition('.')[0]}=" + (f"{', '.join(others)} or {last}" if others else last)


def _beside(key: str, folders: Sequence[Path]) -> str:
    """Return which options a key needs, in brackets, unless it is there with all of them."""
    having = options_with(key, folders)
    needs = having and having != options_of(key.partition(".")[0], folders)
    return f" (with {_one_of(key, having)})" if needs else ""


def _not_with_every_option(key: str, given: Mapping[str, str], folders: Sequence[Path]) -> str | None:
    """Return the line that refuses a key of a sweep which some options lack that the sweep tries; None if all do."""
    group = key.partition(".")[0]
    tried, with_key = _listed(f"{group}={given.get(group, '')}"), options_with(key, folders)
    having = [option for option in tried if option in with_key]
    lacking = [option for option in tried if option not in having]
    tag = _tag(f"{key}={given.get(key, '')}", having) if having and lacking else None
    if tag is None:
        return None
    without = f"no such key with {_one_of(key, lacking)}"
    return f"{_set(key, given.get(key))}: {without}; to leave it out there: {shlex.quote(tag)}"


def _listed(override: str) -> list[str]:
    """Return the values of a sweep over a choice; none of anything else."""
    try:
        value = OverridesParser.create().parse_override(override).value()
        return list(map(str, value.list)) if isinstance(value, ChoiceSweep) else []
    except HydraException:
        return []


def _tag(override: str, options: Sequence[str]) -> str | None:
    """Return an override with the values that it has, marked with options; None if Hydra has no syntax for that."""
    parser = OverridesParser.create()
    try:
        parsed = parser.parse_override(override)
        value, text = parsed.value(), str(parsed.get_value_string())
        if not isinstance(value, Sweep) or (isinstance(value, ChoiceSweep) and value.simple_form):
            text = f"choice({text})"
        inside = re.sub(r"^tag\((?:[^(),]+,)*(.*)\)$", r"\1", text)
        log = ["log"] if isinstance(value, Sweep) and "log" in value.tags else []
        tagged = f"{parsed.get_key_element()}=tag({','.join([*options, *log, inside])})"
        parser.parse_override(tagged)
    except HydraException:  # null is no value of a choice(...)
        return None
    return tagged


def _elsewhere(name: str, siblings: Sequence[str], there: Iterable[str]) -> list[str]:
    """Return the full keys whose last part is `name`, or nearer to it than any sibling is.

    They are those of the schema, and of `there`, the keys of the composed configuration.
    """
    leaves = {**_by_last_part(_schema_keys()), **_by_last_part(key for key in there if not key.startswith("hydra."))}
    near = difflib.get_close_matches(name, [*leaves, *siblings], n=1, cutoff=0.75)
    return leaves[near[0]] if near and near[0] not in siblings else []


def _by_last_part(keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(key.rpartition(".")[2], []).append(key)
    return found


def _flat(key: str, value: Any) -> Iterator[str]:
    """Yield the full key of each value in a mapping that `key` names."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), inner)
    elif not key.rpartition(".")[2].startswith("_"):
        yield key


def _schema_keys(schema: type = Config, prefix: str = "") -> list[str]:
    """Return all keys of the schema, those of all options, each once."""
    keys: list[str] = []
    types = get_type_hints(schema)
    for field in dataclasses.fields(schema):
        inner = [types[field.name]] if dataclasses.is_dataclass(types[field.name]) else []
        if schema is Config:
            inner += OPTIONS.get(field.name, ())
        for section in inner:
            keys += _schema_keys(section, f"{prefix}{field.name}.")
        if not inner and not field.name.startswith("_"):
            keys.append(f"{prefix}{field.name}")
    return list(dict.fromkeys(keys))


def _no_such_option(error: MissingConfigException, folders: Sequence[Path]) -> str:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    options = list(error.options or options_of(group, folders))
    if not options:
        return f"{group}={option}: no such group of options" if group else f"{option}: no such configuration"
    named_in = re.match(r"In '(.+?)': ", str(error))
    place = f" (in the defaults of {named_in[1]}.yaml)" if named_in and named_in[1] != "config" else ""
    return f"{group}={option}: not one of {', '.join(options)}{did_you_mean(option, options)}{place}"


def _no_override(override: str) -> str:
    key, equals, value = override.partition("=")
    if override in NO_COMMANDS:
        return f"{override}: {NO_COMMANDS[override]}"
    if not equals and re.fullmatch(r"[+~]*[\w./@-]+", override):
        return f"{override}: no value; expected {override}=..., or sentexp --help for all groups and keys"
    quoted = "'...'" if "'" not in value else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    shown_quoted = f'{key}="{quoted}"' if "'" not in value else shlex.quote(f"{key}={quoted}")
    return f"{override}: not Hydra's override syntax; expected key=value, or {shown_quoted} around a text"


def _place(message: str, arguments: Sequence[str]) -> str | None:
    """Return file and line of the key that a message begins with, unless the command line sets it itself."""
    begins = re.match(r"[\w.]+(?=[=:])", message)
    if begins is None or any(argument.lstrip("+").startswith(f"{begins[0]}=") for argument in arguments):
        return None
    files = chosen_files(arguments, own_folders(arguments))
    places = ((file.path, file.line_of(begins[0])) for file in files)
    return next((f"{shown(path)}, line {line}" for path, line in places if line is not None), None)
