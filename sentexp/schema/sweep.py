"""The keys of sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from sentexp.errors import did_you_mean
from sentexp.redact import PASSWORD_PATTERN, shown
from sentexp.schema.keys import key

DIRECTIONS = ("maximize", "minimize")


@dataclass
class SweepConfig:
    sampler: str = key(choices=("grid", "tpe", "random", "cmaes", "gp", "nsgaii", "qmc"))
    """How points are chosen: grid takes every combination, any other is a search."""
    n_trials: int = key(at_least=1)
    """Points that a search tries."""
    metric: Any = key()
    """Name of the metric that jobs are compared by, or a list of several."""
    direction: Any = key()
    """maximize or minimize, or a list with one for each metric."""
    pruner: str = key(choices=("none", "median", "successive_halving", "hyperband"))
    """Rule by which jobs that fall behind are stopped."""
    warmup_epochs: int = key(at_least=1)
    """Epochs that every job may train before it can be pruned."""
    startup_trials: int = key(at_least=1)
    """Points tried at random before the sampler learns from results and the median pruner stops jobs."""
    reduction_factor: int = key(at_least=2)
    """With successive_halving and hyperband, one job in so many goes on."""
    seeds: int = key(at_least=1, at_most=10_000)
    """Jobs per point, with seed, seed+1, ..."""
    max_failures: Optional[int] = key(at_least=1)
    """Failed jobs after which the sweep stops."""
    n_jobs: Optional[int] = key(at_least=1)
    """Jobs of a search that run at the same time."""
    storage: Optional[str] = key(
        pattern=rf"(?!.*{PASSWORD_PATTERN}).+",
        expected="a database URL without its password (which SENTEXP_STORAGE_PASSWORD holds), a journal file",
    )
    """Journal file or database URL of a search that several drivers share. A sweep is recorded, so it is no place for
    a password."""
    study_name: Optional[str] = key()
    """Name of the study in the storage."""
    resume: Optional[str] = key()
    """Folder of an interrupted sweep to continue, or latest."""
    trust: bool = key()
    """With resume: run code outside of this package that the folder names, such as a model of your own."""
    dry_run: bool = key()
    """List the jobs, and run none."""
    space: Any = key(resolve=False)  # a reference in it is each job's own
    """Hydra's sweep syntax for each key that varies; tag(OPTION,...) leaves it out where other options are chosen."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """`metric` as a tuple, also where it is one name."""
        return (self.metric,) if isinstance(self.metric, str) else tuple(self.metric)

    @property
    def directions(self) -> tuple[str, ...]:
        """`direction` as a tuple, in the order of `metrics`."""
        return (self.direction,) if isinstance(self.direction, str) else tuple(self.direction)

    @property
    def is_search(self) -> bool:
        """True if the sampler chooses the points."""
        return self.sampler != "grid"

    def problems(self) -> Iterator[str]:
        for name, value in (("metric", self.metric), ("direction", self.direction)):
            listed = value if isinstance(value, list) else [value]
            if not listed or not all(isinstance(one, str) and one for one in listed):
                yield f"sweep.{name}={shown(value)}: expected a text, or a list of texts such as [a,b]"
        if not isinstance(self.space, Mapping) or not all(isinstance(text, str) for text in self.space.values()):
            yield f"sweep.space={shown(self.space)}: expected keys, each with a text such as choice(1,2)"
        for direction in self.directions:
            if direction not in DIRECTIONS:
                expected = f"not one of {', '.join(DIRECTIONS)}{did_you_mean(direction, DIRECTIONS)}"
                yield f"sweep.direction={direction}: {expected}"
        several = len(self.metrics) > 1
        if len(self.metrics) != len(self.directions):
            expected = f"expected {len(self.metrics)}, one for each sweep.metric"
            yield f"sweep.direction=[{','.join(self.directions)}]: {expected}"
        if len(set(self.metrics)) < len(self.metrics):
            yield f"sweep.metric=[{','.join(self.metrics)}]: one of them stands there twice"
        if several and self.pruner != "none":
            yield f"sweep.pruner={self.pruner}: expected none beside several metrics, or one sweep.metric"
        if several and self.sampler == "cmaes":
            yield "sweep.sampler=cmaes: knows one metric; expected nsgaii, tpe or gp beside several"
        if self.storage is not None and not self.is_search:
            expected = "expected a search, such as sweep.sampler=tpe"
            yield f"sweep.storage={self.storage}: a grid is one driver's; {expected}"
        if self.dry_run and self.resume is not None:
            yield f"sweep.dry_run=true: lists the jobs of a new sweep; expected without sweep.resume={self.resume}"
        if self.storage is not None and self.study_name is None:
            yield f"sweep.storage={self.storage}: expected sweep.study_name=... as well, the same everywhere"
