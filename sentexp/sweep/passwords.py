"""Passwords in the overrides of a sweep. Its files hold references to environment variables in their place."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

from sentexp.errors import SentexpError
from sentexp.redact import without_passwords

PREFIX = "SENTEXP_PASSWORD_"
"""What the names of these variables begin with. Every process of the sweep has them."""


def in_environment(overrides: Sequence[str]) -> list[str]:
    """Put each value that holds a password into an environment variable. Return the overrides with references to them.

    Raises SentexpError for a password in a list, a mapping or one of several values, and beside a reference.
    """
    return [_referring(one) if _holds_password(one) else one for one in overrides]


def _holds_password(override: str) -> bool:
    literal = re.sub(r"\$\{[^}]*\}", "***", override)  # a reference is no password
    return without_passwords(literal) != literal


def _referring(override: str) -> str:
    parsed = OverridesParser.create().parse_override(override)
    key = override.partition("=")[0]
    value = parsed.value()
    if parsed.is_sweep_override() or not isinstance(value, str):
        shown = without_passwords(override)
        raise SentexpError(f"{shown}: a password in more than one value; expected {key}=... with one text")
    if "${" in value:  # within a variable, it would be no reference any more
        shown = without_passwords(override)
        expected = f"expected one for the password too, such as {key}=http://ann:${{oc.env:PASSWORD}}@..."
        raise SentexpError(f"{shown}: a password beside a reference; {expected}")
    name = _variable(key.lstrip("+~"))
    os.environ[name] = value
    return f"{key}=${{oc.env:{name}}}"


def _variable(key: str) -> str:
    """Return the name of a key's variable, which is no other key's."""
    name = PREFIX + re.sub(r"\W", "_", key).upper()
    # more than dots and small letters: other keys have the same name, as a_b and a.b do
    return name if re.fullmatch(r"[a-z0-9.]+", key) else f"{name}_{zlib.crc32(key.encode()):08X}"


def refuse_forgotten(overrides: Sequence[str], resume: str) -> None:
    """Raise SentexpError if a recorded override refers to a password that this process does not know."""
    for override in overrides:
        key, _, value = override.partition("=")
        named = re.fullmatch(rf"\$\{{oc\.env:({PREFIX}\w+)\}}", value)
        if named and named[1] not in os.environ:
            key = key.lstrip("+~")
            raise SentexpError(
                f"sweep.resume={resume}: {key} had a password, which is not kept; expected {key}=... too"
            )
