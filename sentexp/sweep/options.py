"""The options of the configuration's groups: which there are, and which of them a job's overrides choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig


class Options:
    """Answers from Hydra itself, so that presets which choose options, and options of the user's own, count too.

    `config` is what Hydra composed for the sweep.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader) -> None:
        name, hydra_overrides = config.hydra.job.config_name, list(config.hydra.overrides.hydra)

        @cache
        def of(group: str) -> tuple[str, ...]:
            return tuple(loader.get_group_options(group, config_name=name, overrides=hydra_overrides))

        @cache
        def chosen(overrides: tuple[str, ...]) -> Mapping[str, str | None]:
            composed = loader.load_configuration(name, [*hydra_overrides, *overrides], run_mode=RunMode.RUN)
            return dict(composed.hydra.runtime.choices)

        self._of, self._chosen = of, chosen

    def of(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's options; none if there is no such group."""
        return self._of(group)

    def chosen(self, overrides: Sequence[str]) -> Mapping[str, str | None]:
        """Return the option of each group in a job with these overrides. Raises as Hydra does if there is no such."""
        return self._chosen(tuple(overrides))
