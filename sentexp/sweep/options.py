"""The options of the configuration's groups: which there are, and which of them a job's overrides choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf


def typed_for_hydra(config: DictConfig) -> list[str]:
    """Return the overrides of Hydra's own keys as they were typed: a reference in them is each job's own."""
    typed: list[str] = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)  # type: ignore[assignment]
    return typed


class Options:
    """Answers from Hydra itself, so that presets which choose options, and options of the user's own, count too.

    `config` is what Hydra composed for the sweep.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader) -> None:
        self._loader, self._name = loader, config.hydra.job.config_name
        self._hydra_overrides = typed_for_hydra(config)
        # they are asked for at each point, and Hydra would compose anew each time
        self._of: dict[str, tuple[str, ...]] = {}
        self._chosen: dict[tuple[str, ...], Mapping[str, str | None]] = {}

    def of(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's options; none if there is no such group."""
        if group not in self._of:
            found = self._loader.get_group_options(group, config_name=self._name, overrides=self._hydra_overrides)
            self._of[group] = tuple(found)
        return self._of[group]

    def chosen(self, overrides: Sequence[str]) -> Mapping[str, str | None]:
        """Return the option of each group in a job with these overrides. Raises as Hydra does if there is no such."""
        key = tuple(overrides)
        if key not in self._chosen:
            composed = self._loader.load_configuration(
                self._name, [*self._hydra_overrides, *overrides], run_mode=RunMode.RUN
            )
            self._chosen[key] = dict(composed.hydra.runtime.choices)
        return self._chosen[key]
