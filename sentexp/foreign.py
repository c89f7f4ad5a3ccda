"""Code outside of this package that a recorded configuration names: run only if the user trusts whoever recorded it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Sweep
from hydra.errors import HydraException

from sentexp.config_files import OwnFile, conf_dir
from sentexp.errors import SentexpError
from sentexp.redact import flatten
from sentexp.schema import CallableTokenizerConfig, schema_of

BUILT = ("text", "tokenizer", "vocab", "embedding", "model")
"""Sections of which a loaded model is built."""

HARMLESS = "|".join(
    (
        r"hydra/\w+=\w+",  # one of the options that whoever resumes has
        r"hydra\.(sweep\.dir|job\.chdir|mode|verbose)=.*",
        # inside of the sweep's folder, for what is in a job's may be moved
        r"hydra\.sweep\.subdir=(?![\s'\"]*/)(?!.*\.\.)([^$\\(]|\$\{[\w.]+\})*",
        r"hydra\.job\.name=[\w.-]+",
        r"hydra\.launcher\.(?!address)[a-z]\w*=[\w.-]+",  # a cluster sends objects back, which unpickling runs
    )
)
"""Regular expression of overrides of Hydra's own keys that run nothing. Others can: callbacks, logging, search path."""

PLAIN_NAME = r"(?!.*\.\.)[^/\\$@\n]*"
"""Regular expression of an option's name. With a slash, it could be a path to any file outside of conf/."""


TOLD_OF_EACH_RUN = r"hydra\.(mode|overrides|runtime|job\.(id|num|override_dirname))(\..*)?"
"""Regular expression of keys of Hydra's own under which it writes down what it was called with."""


def is_of_hydra(override: str) -> bool:
    """Return True for an override of one of Hydra's own keys, or for such a key."""
    return re.match(r"[+~]*hydra(?![\w-])", override) is not None


def may_run_code(overrides: Iterable[str]) -> list[str]:
    """Return those recorded overrides by which other code than this package's could be run, before it is composed.

    These are overrides of Hydra's own keys, options that are paths to files of anyone's, packages (`group@package`),
    which can put an option into Hydra's own section, and words that are no overrides but options of the command line.
    What a composed configuration names is for `foreign` to find.
    """
    return [one for one in overrides if _may_run_code(one)]


def of_hydra_changed(composed: Mapping[str, Any], plain: Mapping[str, Any]) -> list[str]:
    """Return `key=value` for what recorded options have changed in Hydra's own section, which can run code.

    `plain` is the section as it is composed without them. Both are given with references as they are written.
    """
    now, before = flatten(composed, "hydra."), flatten(plain, "hydra.")
    changed = [key for key in {**now, **before} if now.get(key) != before.get(key)]
    return [f"{key}={now.get(key, '(none)')}" for key in changed if re.fullmatch(TOLD_OF_EACH_RUN, key) is None]


def _may_run_code(text: str) -> bool:
    if text.startswith("-"):
        return True
    if is_of_hydra(text):
        return re.fullmatch(HARMLESS, text) is None
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        return False  # which nobody composes
    if override.package is not None:
        return True
    name = override.key_or_group
    # a key with a dot is no group's, and neither is one that holds a value
    if "." in name or name in OwnFile(conf_dir() / "config.yaml", "").keys:
        return False
    return not all(re.fullmatch(PLAIN_NAME, option) for option in _options_in(override))


def _options_in(override: Override) -> Iterator[str]:
    """Yield each text that an override of a group would take for an option's name."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        value = value.list
    elif isinstance(value, Sweep):
        return  # numbers, or the names of options that there are
    for one in value if isinstance(value, list) else [value]:
        for inner in one if isinstance(one, list) else [one]:
            if not isinstance(inner, Mapping):  # Hydra takes no mapping for an option
                yield str(inner)


def texts_in(override: str) -> Iterator[str]:
    """Yield each text in the value of an override, as Hydra reads it. None is in what is no override."""
    try:
        waiting = [OverridesParser.create().parse_override(override).value()]
    except HydraException:
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            yield str(value)


def refuse_foreign(config: Mapping[str, Any], sections: Sequence[str] = BUILT) -> None:
    """Raise SentexpError if these sections of a trained model's configuration name code outside of this package."""
    for key, path in foreign(config, sections):
        refuse(key, path)


def refuse(key: str, path: Any) -> NoReturn:
    """Raise the SentexpError that refuses the code that a trained model's configuration names under a key."""
    raise SentexpError(refusal(f"{key}={path}", "--trust (trust=True in Python)", "model"))


def refusal(named: str, expected: str, whose: str) -> str:
    """Return the line that refuses `named`, and says by which option to have it run."""
    return (
        f"{named}: code outside of sentexp, which would be run; expected {expected} if the {whose} is from somebody "
        "you trust"
    )


def foreign(config: Mapping[str, Any], sections: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the keys under which a configuration names code outside of this package, with what is there."""
    for group in sections:
        section = config.get(group)
        for key, value in _special_keys(group, section):
            if key != f"{group}._target_" or schema_of(group, value) is None:
                yield key, value
        if not isinstance(section, Mapping):
            continue
        if group == "tokenizer" and section.get("_target_") == CallableTokenizerConfig._target_:
            yield "tokenizer.path", section.get("path")
        if group == "evaluation":
            metrics = section.get("metrics")
            for name, path in metrics.items() if isinstance(metrics, Mapping) else ():
                yield f"evaluation.metrics.{name}", path


def _special_keys(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key that Hydra does not merely pass on, such as `_target_`, however deep it stands."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if str(name).startswith("_"):
                yield f"{key}.{name}", inner
            yield from _special_keys(f"{key}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _special_keys(f"{key}[{number}]", inner)
