"""Composes a configuration and checks it against the schema, before anything heavy is imported."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException, ValidationError

from sentexp import signature
from sentexp.config_files import conf_dir, literal
from sentexp.errors import SentexpError, did_you_mean
from sentexp.redact import shown
from sentexp.resume import recorded_overrides
from sentexp.schema import OF_LANGUAGE_MODELS, OPTIONS, Composition, Config, LanguageModelConfig, schema_of

Section = TypeVar("Section")

SINGULARS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
PLURALS = {int: "whole numbers, such as [3,4,5]", float: "numbers, such as [0.9,0.99]", str: "texts, such as [a,b]"}


def compose(*overrides: str) -> Config:
    """Compose and check the configuration that the command line would make of these overrides.

    >>> from sentexp import compose
    >>> config = compose("model=gru", "model.hidden_size=64", "data.size=200")
    >>> config.model.cell, config.model.hidden_size, config.trainer.epochs
    ('gru', 64, 6)

    The result is made of the dataclasses in `sentexp.schema`, where each key has its type, range and meaning. Only a
    group whose `_target_` is your own is a dict. It carries the overrides and the chosen options, which `run` records.

    With trainer.resume=FOLDER it is the configuration of the run in that folder, with these overrides.

    Raises SentexpError with the one line that the command line would print:

    >>> compose("model.hiden_size=64")
    Traceback (most recent call last):
    sentexp.errors.SentexpError: model.hiden_size=64: no such key; did you mean hidden_size? (there are bidirectional, \
cell, dropout, embedding_dropout, hidden_size, ignore_padding, init, num_layers, output_dropout, pooling, thaw_after, \
word_dropout)
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    from sentexp.explain import mistakes_explained

    for override in overrides:
        if not isinstance(override, str):
            expected = 'expected each override as a text of its own, such as compose("model=gru", "seed=1")'
            raise SentexpError(f"compose({shown(override)}): {expected}")
    asked = recorded_overrides(overrides)
    with mistakes_explained(asked), initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="sentexp"):
        composed = hydra_compose("config", overrides=asked, return_hydra_config=True)
        with open_dict(composed):
            hydra = composed.pop("hydra")
        return check(composed, hydra)


def check(composed: DictConfig, hydra: Any = None) -> Config:
    """Return a composed configuration with each value in the type of its schema and all references resolved.

    With `hydra`, Hydra's own section, the result carries how it was composed; see `composition_of`.

    Raises SentexpError, one line that names the key, the value and what was expected, for an unknown key, a wrong
    type, a value out of range and a combination that cannot work.
    """
    config = typed_section(composed, Config, prefix="")
    if hydra is not None:
        overrides: Any = OmegaConf.to_container(hydra.overrides.task)  # as they were typed: references stay references
        sources = hydra.runtime.config_sources
        own = next((source.path for source in sources if source.provider == "command-line"), None)
        config.composition = Composition(tuple(overrides), choices_of(hydra), plain(config), own)
    return config


def check_job(composed: DictConfig) -> Config:
    """Check the configuration of a job of a sweep as `check` does, and that it will have what the sweep compares.

    Raises SentexpError, one line, as `check` does.
    """
    config = check(composed)
    validates = any(getattr(config.data, key, None) for key in ("valid_fraction", "valid_split", "valid"))
    if isinstance(config.data, Mapping):  # a source of the user's own may hold out what it likes
        return config
    wanted = [name for name in config.sweep.metrics if name.startswith("best/")]
    if isinstance(config.task, LanguageModelConfig):
        for name in config.sweep.metrics:
            if name not in OF_LANGUAGE_MODELS:
                raise SentexpError(
                    f"sweep.metric={name}: a language model has none; expected sweep.metric={OF_LANGUAGE_MODELS[0]} "
                    "sweep.direction=minimize beside task=language_model"
                )
    if config.sweep.pruner != "none":
        wanted.append(f"pruner {config.sweep.pruner}")
    if wanted and not validates:
        raise SentexpError(
            f"data.valid_fraction={config.data.valid_fraction:g}: leaves no validation reviews for {wanted[0]}, by "
            "which the sweep goes; expected some, or sweep.metric=test/accuracy once everything is chosen"
        )
    return config


def choices_of(hydra: Any) -> dict[str, str]:
    """Return the option chosen in each group, such as model: gru, from Hydra's own section; without Hydra's groups."""
    chosen: Any = OmegaConf.to_container(hydra.runtime.choices)
    return {
        group: option
        for group, option in chosen.items()
        if option not in (None, "", MISSING) and not group.startswith("hydra/")  # a sweep may be what chooses one
    }


def composition_of(config: Config) -> Composition | None:
    """Return how a configuration was composed; None if it was not, or has been changed since."""
    composition = config.composition
    return composition if composition is not None and composition.values == plain(config) else None


def typed_section(node: DictConfig, schema: type[Section], prefix: str) -> Section:
    """Return a section as a checked instance of its schema; `prefix` is its key and a dot. Raises as `check` does."""
    section = _typed(node, schema, prefix)
    for problem in _problems(section):
        raise SentexpError(problem)
    return section


def plain(section: Any) -> dict[str, Any]:
    """Return a section, or the whole configuration, as dicts, lists and values: to be recorded, or called with."""
    return dataclasses.asdict(section) if dataclasses.is_dataclass(section) else dict(section)  # type: ignore[arg-type]


def of_its_types(recorded: Mapping[str, Any], sections: Sequence[str]) -> dict[str, Any]:
    """Return a recorded configuration with each value of these sections in the type of its schema.

    A key that it lacks stays away, for it may have been recorded before the key was there. So does an option whose
    `_target_` is the user's own stay as it is. Raises SentexpError as `check` does for the values that are there.
    """

    def has_schema(name: str) -> bool:
        target = recorded[name].get("_target_") if isinstance(recorded[name], Mapping) else None
        return name not in OPTIONS or not isinstance(target, str) or schema_of(name, target) is not None

    try:
        node = literal({name: recorded[name] for name in sections if name in recorded and has_schema(name)})
    except OmegaConfBaseException as error:  # a date, or a key that is null
        raise SentexpError(f"{error.full_key}: {_first_line(error)}") from error
    return {**recorded, **_values(node, Config, prefix="", whole=False)}


def _typed(node: DictConfig, schema: type[Section], prefix: str) -> Section:
    return schema(**_values(node, schema, prefix, whole=True))


def _values(node: DictConfig, schema: type, prefix: str, *, whole: bool) -> dict[str, Any]:
    """Return the value of each field of a schema; `whole`: with instances of the schemas inside, and of all fields."""
    fields = {field.name: field for field in dataclasses.fields(schema)}
    types = get_type_hints(schema)
    given = {str(name): name for name in node}
    for name in given:
        if name not in fields:
            # why no mention of `+key=value`: a key outside the schema would be read by nothing
            from sentexp.explain import no_such_key

            value = OmegaConf.to_container(node, resolve=False).get(given[name])  # type: ignore[union-attr]
            raise SentexpError(no_such_key(f"{prefix}{name}", str(value), list(fields)))
    converter = OmegaConf.structured(schema)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in given and not whole:
            continue
        full_key, kind = f"{prefix}{name}", types[name]
        value = _value(node, name, full_key)
        if schema is Config and name in OPTIONS:
            values[name] = _option(name, value, whole=whole)
        elif dataclasses.is_dataclass(kind):
            if not isinstance(value, DictConfig):
                raise SentexpError(f"{full_key}={value}: expected keys and values, not one value")
            inner = _values(value, kind, prefix=f"{full_key}.", whole=whole)  # type: ignore[arg-type]
            values[name] = kind(**inner) if whole else inner  # type: ignore[operator]
        elif kind is Any:
            values[name] = _container(value, full_key, resolve=field.metadata.get("resolve", True))
        else:
            values[name] = _converted(converter, field, kind, full_key, value)
    return values


def _value(node: DictConfig, name: str, full_key: str) -> Any:
    """Return the value of a key with its reference resolved, if it is one."""
    if OmegaConf.is_missing(node, name):
        raise SentexpError(f"{full_key}: needs a value: {full_key}=...")
    if name not in node:
        raise SentexpError(f"{full_key}: no value (it has been removed from the configuration)")
    try:
        return node[name]
    except OmegaConfBaseException as error:
        raise SentexpError(f"{full_key}: {_first_line(error)}") from error


def _option(group: str, node: Any, *, whole: bool) -> Any:
    """Return an instance of the option's schema, or its values unless `whole`; a dict for a `_target_` of the user's
    own."""
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise SentexpError(f"{group}={node}: expected one of the options in conf/{group}/")
    schema = schema_of(group, str(_value(node, "_target_", f"{group}._target_")))
    if schema is not None:
        values = _values(node, schema, prefix=f"{group}.", whole=whole)
        return schema(**values) if whole else values
    values = _container(node, group, resolve=True)
    for problem in signature.problems(group, values):
        raise SentexpError(problem)
    return values


def _container(value: Any, full_key: str, *, resolve: bool) -> Any:
    """Return a list or mapping of OmegaConf's as Python's own, anything else as it is."""
    if not isinstance(value, (DictConfig, ListConfig)):
        return value
    try:
        return OmegaConf.to_container(value, resolve=resolve, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise SentexpError(f"{error.full_key}: needs a value: {error.full_key}=...") from error
    except OmegaConfBaseException as error:
        raise SentexpError(f"{error.full_key or full_key}: {_first_line(error)}") from error


def _converted(converter: DictConfig, field: dataclasses.Field, kind: Any, full_key: str, value: Any) -> Any:
    """Return `value` converted to the type of its field; refuse another type and what is out of bounds."""
    given = f"{full_key}={shown(value)}"
    optional = type(None) in get_args(kind)
    kind = next((inner for inner in get_args(kind) if inner is not type(None)), kind) if optional else kind
    expected = _expected(field, kind) + (" or null" if optional else "")
    try:
        # what OmegaConf would quietly convert
        if kind is str and isinstance(value, (DictConfig, ListConfig, bool)):
            raise ValidationError("not a text")
        if kind is bool and isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValidationError("not a switch")
        if isinstance(value, str) and "${" in value:
            raise ValidationError("a reference that would be resolved")
        converter[field.name] = value
        converted = converter[field.name]
    except OmegaConfBaseException as error:
        # it came from the environment, or escaped; whoever reads the value would resolve it once more
        without = " without ${, which begins a reference" if "${" in str(value) else ""
        raise SentexpError(f"{given}: expected {expected}{without}") from error
    for one in converted if isinstance(converted, ListConfig) else [converted]:
        choices = field.metadata.get("choices", ())
        if choices and one is not None and one not in choices:
            raise SentexpError(f"{given}: not {expected}{did_you_mean(one, choices)}")
        if one is not None and not _within(field, one):
            raise SentexpError(f"{given}: expected {expected}")
    return list(converted) if isinstance(converted, ListConfig) else converted


BOUNDS = {"at_least": ("from", operator.ge), "above": ("above", operator.gt)}
BOUNDS |= {"at_most": ("to", operator.le), "below": ("below", operator.lt)}


def _expected(field: dataclasses.Field, kind: Any) -> str:
    if field.metadata.get("choices"):
        return "one of " + ", ".join(field.metadata["choices"])
    if field.metadata.get("expected"):
        return field.metadata["expected"]
    what = "a list of " + PLURALS[get_args(kind)[0]] if get_args(kind) else SINGULARS[kind]
    bounds = [f"{word} {field.metadata[name]}" for name, (word, _) in BOUNDS.items() if name in field.metadata]
    return " ".join([what, *bounds])


def _within(field: dataclasses.Field, value: Any) -> bool:
    if isinstance(value, str):
        pattern = field.metadata.get("pattern")
        return pattern is None or re.fullmatch(pattern, value) is not None
    return math.isfinite(value) and all(
        holds(value, field.metadata[name]) for name, (_, holds) in BOUNDS.items() if name in field.metadata
    )


def _problems(section: Any) -> Iterator[str]:
    """Yield what the sections inside and then the section itself tell of values that cannot work together."""
    for field in dataclasses.fields(section):
        inner = getattr(section, field.name)
        if dataclasses.is_dataclass(inner):
            yield from _problems(inner)
    if hasattr(section, "problems"):
        yield from section.problems()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
