"""What a sweep's folder may ask for when it is resumed. It may be anyone's, and must not have their code run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from sentexp.errors import SentexpError
from sentexp.foreign import foreign, refusal


def code_in(config: Mapping[str, Any]) -> list[str]:
    """Return `key=path` for the code outside of this package that a composed configuration names."""
    return [f"{key}={path}" for key, path in foreign(config, list(config)) if path != MISSING]


def refuse(named: Iterable[str], resume: str) -> None:
    """Raise SentexpError for the first of what a folder names."""
    for one in named:
        raise SentexpError(f"sweep.resume={resume}: {refusal(one, 'sweep.trust=true', 'sweep')}")


def refuse_elsewhere(job: Path, folder: Path, resume: str) -> None:
    """Raise SentexpError for a job's folder outside of the sweep's: what is there would be moved or written over."""
    if folder.resolve() not in job.resolve().parents:
        expected = "expected one inside, or sweep.trust=true if the sweep is from somebody you trust"
        raise SentexpError(
            f"sweep.resume={resume}: hydra.sweep.subdir: {job}: a folder outside of the sweep's; {expected}"
        )
