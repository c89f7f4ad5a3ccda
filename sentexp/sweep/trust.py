"""What a sweep's folder may ask for when it is resumed. It may be anyone's, and must not have their code run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import MISSING

from sentexp.errors import SentexpError
from sentexp.foreign import foreign, refusal

HARMLESS = "|".join(
    (
        r"hydra/\w+=\w+",  # one of the options that whoever resumes the sweep has
        r"hydra\.(sweep\.dir|sweep\.subdir|job\.chdir|mode|verbose)=.*",
        r"hydra\.job\.name=[\w.-]+",
        r"hydra\.launcher\.(?!address)[a-z]\w*=[\w.-]+",  # a cluster sends objects back, which unpickling runs
    )
)
"""Regular expression of overrides of Hydra's own keys that run nothing. Others can: callbacks, logging, search path."""


def is_of_hydra(override: str) -> bool:
    """Return True for an override of one of Hydra's own keys."""
    return override.lstrip("+~").startswith(("hydra.", "hydra/", "hydra="))


def may_run_code(overrides: Iterable[str]) -> list[str]:
    """Return those overrides of Hydra's own keys by which other code than this package's could be run."""
    return [one for one in overrides if is_of_hydra(one) and re.fullmatch(HARMLESS, one) is None]


def code_in(config: Mapping[str, Any]) -> list[str]:
    """Return `key=path` for the code outside of this package that a composed configuration names."""
    return [f"{key}={path}" for key, path in foreign(config, list(config)) if path != MISSING]


def refuse(named: Iterable[str], resume: str) -> None:
    """Raise SentexpError for the first of what a folder names."""
    for one in named:
        raise SentexpError(f"sweep.resume={resume}: {refusal(one, 'sweep.trust=true', 'sweep')}")
