"""The section `sweep` of the configuration, checked, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, ListConfig

from sentexp.config import plain, typed_section
from sentexp.errors import SentexpError, did_you_mean
from sentexp.schema import SweepConfig

DIRECTIONS = ("maximize", "minimize")

MAY_CHANGE = ("sweep.n_trials", "sweep.max_failures", "sweep.n_jobs", "sweep.resume", "cache_dir")
"""Keys that may have another value when a sweep is resumed: no result depends on them."""


@dataclass(frozen=True)
class Settings:
    """See SweepConfig for what each means."""

    sampler: str
    n_trials: int
    metrics: tuple[str, ...]
    directions: tuple[str, ...]
    pruner: str
    warmup_epochs: int
    startup_trials: int
    reduction_factor: int
    seeds: int
    max_failures: int | None
    n_jobs: int | None
    storage: str | None
    study_name: str | None
    resume: str | None
    space: dict[str, str]

    @property
    def guided(self) -> bool:
        return self.sampler != "grid"

    @staticmethod
    def of(section: DictConfig) -> Settings:
        """Raises SentexpError for a wrong value and for what cannot work together."""
        values = plain(typed_section(section, SweepConfig, "sweep."))
        metrics, directions = (_texts(key, values.pop(key)) for key in ("metric", "direction"))
        space = values.pop("space")
        if not isinstance(space, Mapping) or not all(isinstance(text, str) for text in space.values()):
            raise SentexpError(f"sweep.space={space}: expected keys, each with a text such as choice(1,2)")
        settings = Settings(metrics=metrics, directions=directions, space=dict(space), **values)
        settings._check()
        return settings

    def _check(self) -> None:
        for direction in self.directions:
            if direction not in DIRECTIONS:
                expected = f"not one of {', '.join(DIRECTIONS)}{did_you_mean(direction, DIRECTIONS)}"
                raise SentexpError(f"sweep.direction={direction}: {expected}")
        if len(self.metrics) != len(self.directions):
            count = len(self.metrics)
            raise SentexpError(f"sweep.direction={_list(self.directions)}: expected {count}, one for each sweep.metric")
        if len(set(self.metrics)) < len(self.metrics):
            raise SentexpError(f"sweep.metric={_list(self.metrics)}: one of them stands there twice")
        if len(self.metrics) > 1 and self.pruner != "none":
            raise SentexpError(f"sweep.pruner={self.pruner}: expected none beside several metrics, or one sweep.metric")
        if len(self.metrics) > 1 and self.sampler == "cmaes":
            raise SentexpError("sweep.sampler=cmaes: knows one metric; expected nsgaii, tpe or gp beside several")
        if self.storage is not None and not self.guided:
            way_out = "expected a guided search, such as sweep.sampler=tpe"
            raise SentexpError(f"sweep.storage={self.storage}: a grid is one driver's; {way_out}")
        if self.storage is not None and self.study_name is None:
            raise SentexpError(
                f"sweep.storage={self.storage}: expected sweep.study_name=... as well, the same everywhere"
            )


def _texts(key: str, value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, (list, ListConfig)) else [value]
    if not listed or not all(isinstance(one, str) for one in listed):
        raise SentexpError(f"sweep.{key}={value}: expected a text, or a list of texts such as [a,b]")
    return tuple(listed)


def _list(values: tuple[str, ...]) -> str:
    return f"[{','.join(values)}]"
