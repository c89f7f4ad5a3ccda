"""The optional packages that launchers need."""

from __future__ import annotations

import importlib.util

from omegaconf import DictConfig

from sentexp.errors import SentexpError


def require(module: str, extra: str, config: DictConfig) -> None:
    """Raise SentexpError, which names the chosen launcher, if `module` of the extra is not installed."""
    if importlib.util.find_spec(module) is None:
        name = config.hydra.runtime.choices["hydra/launcher"]
        raise SentexpError(
            f"hydra/launcher={name}: needs the extra {extra}: pip install -c constraints.txt -e '.[{extra}]'"
        )
