"""Code outside of this package that a recorded configuration names: run only if the user trusts whoever recorded it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sentexp.errors import SentexpError
from sentexp.schema import OPTIONS, CallableTokenizerConfig

BUILT = ("text", "tokenizer", "vocab", "embedding", "model")
"""Sections of which a loaded model is built."""


def refuse_foreign(config: Mapping[str, Any], sections: Sequence[str] = BUILT) -> None:
    """Raise SentexpError if these sections of a trained model's configuration name code outside of this package."""
    for key, path in foreign(config, sections):
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
        known = {option._target_ for option in OPTIONS.get(group, ())}  # type: ignore[attr-defined]
        for key, value in _special_keys(group, section):
            if key != f"{group}._target_" or not isinstance(value, str) or value not in known:
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
