"""Checks a composed configuration against the schema and itself, before anything heavy is imported."""

from __future__ import annotations

import dataclasses
import math
import operator
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from sentexp.embedding import catalogue, dimension
from sentexp.errors import SentexpError, did_you_mean
from sentexp.redact import without_passwords
from sentexp.schema import METRICS, OPTIONS, Config

SINGULARS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
PLURALS = {float: "numbers, such as [0.9,0.99]", str: "texts, such as [a,b]"}


def conf_dir() -> Path:
    """The folder of the YAML files: inside the package when it is installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise SentexpError(f"no conf/config.yaml inside or beside {package}: is the installation whole?")


def compose(*overrides: str) -> DictConfig:
    """The checked configuration that the command line would get from these overrides, for notebooks and tests."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="sentexp"):
        return check(hydra_compose("config", overrides=list(overrides)))


def check(composed: DictConfig) -> DictConfig:
    """The composed configuration with every value in the type of its schema, references resolved.

    Raises SentexpError, one line that names the key, the value and what was expected, for an unknown key, a wrong
    type, a value out of range and a combination that cannot work.
    """
    config = typed_section(composed, Config, prefix="")
    for group, options in OPTIONS.items():
        node = config[group]
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise SentexpError(f"{group}={node}: expected one of the options in conf/{group}/")
        schemas = {option._target_: option for option in options}  # type: ignore[attr-defined]
        schema = schemas.get(node["_target_"])
        if schema is not None:  # a target of the user's own is theirs to check
            config[group] = typed_section(node, schema, prefix=f"{group}.")
    for problem in _impossible(config):
        raise SentexpError(problem)
    return config


def typed_section(node: DictConfig, schema: type, prefix: str) -> DictConfig:
    """The node with every value in the type of its schema. Raises SentexpError, see `check`."""
    fields = {field.name: field for field in dataclasses.fields(schema)}
    types = get_type_hints(schema)
    for name in map(str, node):
        if name not in fields:
            # why no mention of `+key=value`: a key outside the schema would be read by nothing
            expected = ", ".join(sorted(name for name in fields if not name.startswith("_")))
            near = did_you_mean(name, fields)
            raise SentexpError(f"{prefix}{name}={node._get_node(name)}: no such key{near} (there are {expected})")
    typed = OmegaConf.structured(schema)
    for name, field in fields.items():
        full_key = f"{prefix}{name}"
        if OmegaConf.is_missing(node, name):
            raise SentexpError(f"{full_key}: needs a value: {full_key}=...")
        if name not in node:
            raise SentexpError(f"{full_key}: no value (it has been removed from the configuration)")
        try:
            value = node[name]
        except OmegaConfBaseException as error:
            raise SentexpError(f"{full_key}: {_first_line(error)}") from error
        inner = types[name]
        if dataclasses.is_dataclass(inner):
            if not isinstance(value, DictConfig):
                raise SentexpError(f"{full_key}={value}: expected keys and values, not one value")
            typed[name] = typed_section(value, inner, prefix=f"{full_key}.")  # type: ignore[arg-type]
        elif inner is Any:
            typed[name] = value
        else:
            _assign(typed, field, inner, full_key, value)
    return typed


def _assign(typed: DictConfig, field: dataclasses.Field, kind: Any, full_key: str, value: Any) -> None:
    """Set the field to `value`, converted to its type; refuse another type and what is out of bounds."""
    shown = _shown(value)
    optional = type(None) in get_args(kind)
    kind = next((inner for inner in get_args(kind) if inner is not type(None)), kind) if optional else kind
    expected = _expected(field, kind) + (" or null" if optional else "")
    try:
        # what OmegaConf would quietly convert
        if kind is str and isinstance(value, (DictConfig, ListConfig, bool)):
            raise ValidationError("not a text")
        if kind is bool and isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValidationError("not a switch")
        typed[field.name] = value
    except OmegaConfBaseException as error:
        raise SentexpError(f"{full_key}={shown}: expected {expected}") from error
    value = typed[field.name]
    for one in value if isinstance(value, ListConfig) else [value]:
        choices = field.metadata.get("choices", ())
        if choices and one is not None and one not in choices:
            raise SentexpError(f"{full_key}={shown}: not {expected}{did_you_mean(one, choices)}")
        if one is not None and not _within(field, one):
            raise SentexpError(f"{full_key}={shown}: expected {expected}")


def _shown(value: Any) -> Any:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else without_passwords(value)


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


def _impossible(config: DictConfig) -> Iterator[str]:
    """What cannot work although each value alone is fine."""
    model, embedding, text, trainer, data = (config[name] for name in ("model", "embedding", "text", "trainer", "data"))
    if model.get("dropout", 0) > 0 and model.get("num_layers") == 1:
        yield (
            f"model.dropout={model.dropout}: acts between stacked layers and model.num_layers=1 has none; "
            "expected model.num_layers=2 or more, or model.output_dropout instead"
        )
    if text.fix_length is not None and text.max_length is not None:
        yield f"text.fix_length={text.fix_length}: already cuts every review; expected text.max_length=null beside it"
    tokens = [token for token in (text.init_token, text.eos_token) if token is not None]
    longest = text.fix_length or text.max_length
    if longest is not None and longest <= len(tokens):
        yield f"text.max_length={longest}: init_token and eos_token leave no room for a word"
    for special in ("<unk>", "<pad>"):
        if special not in config.vocab.specials:
            yield f"vocab.specials={config.vocab.specials}: expected {special} among them"
    if len(set(config.vocab.specials)) < len(config.vocab.specials):
        yield f"vocab.specials={config.vocab.specials}: one of them stands there twice"
    if trainer.batch_size is None and trainer.max_tokens is None:
        yield "trainer.batch_size=null: expected a number of reviews, or trainer.max_tokens"
    if embedding.get("thaw_after") is not None and not embedding.freeze:
        yield f"embedding.thaw_after={embedding.thaw_after}: nothing to thaw; expected embedding.freeze=true beside it"
    if len(config.optimizer.get("betas", [0.0, 0.0])) != 2:
        yield f"optimizer.betas={config.optimizer.betas}: expected two numbers, such as [0.9,0.999]"
    if config.optimizer.get("nesterov") and config.optimizer.get("momentum") == 0:
        yield "optimizer.nesterov=true: expected optimizer.momentum above 0"
    for metric in [config.sweep.metric] if isinstance(config.sweep.metric, str) else config.sweep.metric:
        if metric not in METRICS:
            expected = f"not one of {', '.join(METRICS)}{did_you_mean(str(metric), METRICS)}"
            yield f"sweep.metric={config.sweep.metric}: {expected}"
    yield from _impossible_vectors(embedding)
    yield from _impossible_data(data)


def _impossible_vectors(embedding: DictConfig) -> Iterator[str]:
    path, dim = embedding.get("path"), embedding.get("dim")
    if path is not None:
        if not os.path.isfile(os.path.expanduser(path)):
            yield f"embedding.path={path}: no such file"
            return
        found = dimension.of_file(os.path.expanduser(path), dim)
        if dim is not None and found != dim:
            yield f"embedding.dim={dim}: embedding.path={path} holds vectors of {found}; expected embedding.dim={found}"
    elif embedding.get("name") is not None:
        dims = catalogue.dims(embedding.name)
        if dims and dim not in dims:
            expected = ", ".join(str(each) for each in dims)
            yield f"embedding.dim={dim}: {embedding.name} comes with {expected}"


def _impossible_data(data: DictConfig) -> Iterator[str]:
    if data._target_ == "sentexp.data.hub.load" and data.name is None and data.path is None:
        yield "data.name=null: expected OWNER/NAME of a dataset on the Hub, or data.path=FOLDER"
    if data._target_ == "sentexp.data.files.load":
        if data.path is None and data.train is None:
            yield "data.path=null: expected a file or folder, or data.train"
        if data.path is not None and any(data[split] is not None for split in ("train", "valid", "test")):
            yield f"data.path={data.path}: expected alone, without data.train, data.valid and data.test"
    for name in ("path", "train", "valid", "test"):
        if name in data and data[name] is not None and not os.path.exists(os.path.expanduser(data[name])):
            yield f"data.{name}={data[name]}: no such file or folder"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
