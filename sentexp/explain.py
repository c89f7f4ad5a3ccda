"""Turns what Hydra and OmegaConf raise about a command line into one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sentexp.errors import SentexpError, did_you_mean
from sentexp.schema import Config


@contextmanager
def mistakes_explained(arguments: Sequence[str]) -> Iterator[None]:
    """Let a mistake in `arguments`, the words of the command line, leave the block as a SentexpError of one line.

    with mistakes_explained(["model.hiden_size=3"]):
        composed = hydra.compose("config", overrides=["model.hiden_size=3"])
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise SentexpError(explain(error, arguments)) from error
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # Hydra's own answer to trainer=3
            raise
        raise SentexpError(f"{error}: expected group=option") from error


def explain(error: Exception, arguments: Sequence[str]) -> str:
    """Return Hydra's or OmegaConf's exception as one line: key, value, what was expected, the nearest valid name."""
    given = dict(argument.lstrip("+~").partition("=")[::2] for argument in arguments if "=" in argument)
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={option}: not one of {', '.join(error.options)}{did_you_mean(option, error.options)}"
    cause = error.__cause__
    if isinstance(error, ConfigCompositionException) and isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        full_key, parent = str(cause.full_key), cause.parent_node
        siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
        return _no_such_key(full_key, given.get(full_key), siblings)
    if isinstance(error, OverrideParseException):
        key = error.override.partition("=")[0]
        return f"{error.override}: not Hydra's override syntax; expected key=value, or {key}=\"'...'\" around a text"
    message = str(error)
    if "No match in the defaults list" in message:
        group = message.split("'")[1]
        return _no_such_key(group, given.get(group), [str(name) for name in OmegaConf.structured(Config)])
    lines = [line.strip() for line in (message, str(cause or "")) for line in line.splitlines() if line.strip()]
    return "; ".join(lines[:2])


def _no_such_key(full_key: str, value: str | None, siblings: list[str]) -> str:
    shown = full_key if value is None else f"{full_key}={value}"
    name = full_key.rpartition(".")[2]
    siblings = sorted(sibling for sibling in siblings if not sibling.startswith("_") and sibling != "hydra")
    there_are = f" (there are {', '.join(siblings)})" if siblings else f"; expected +{full_key}=... to add it"
    return f"{shown}: no such key{did_you_mean(name, siblings)}{there_are}"
