"""The record of a job: one run of a sweep, from the time it waits to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any

from sentexp.sweep.field_types import misfit
from sentexp.sweep.point import Point, in_short

STATES = ("waiting", "running", "finished", "failed", "pruned")

TOLD_BY_TRIAL = ("point", "trial", "index")
"""Fields that the place of a record in the study tells: they are not part of what is stored."""


@dataclass(frozen=True)
class JobRecord:
    """What is known of one job. It is stored with its trial in the study, and whoever runs the job updates it."""

    number: int
    """Counts the jobs of a sweep. One that failed is tried again under a new number; one that was interrupted keeps its
    number and folder."""
    point: Point
    """What varies between jobs, without the seed."""
    seed: int | None
    """None unless sweep.seeds is above 1."""
    state: str
    """One of STATES."""
    folder: str
    """The job's folder, relative to the sweep's folder."""
    trial: int | None = None
    """Number of its trial in the study; None before it is stored."""
    index: int = 0
    """Place among the jobs of its trial, which has one job per seed."""
    restarts: int = 0
    """How often it had begun and was interrupted before it could end."""
    began: float | None = None
    """When it began, in seconds since 1970; None if it never did."""
    host: str | None = None
    """Machine of the process that runs it or ran it."""
    pid: int | None = None
    process_start: str | None = None
    """See `orphans.process_start`."""
    values: tuple[float, ...] | None = None
    """One per metric of sweep.metric; None unless finished."""
    metrics: dict[str, float] = field(default_factory=dict)
    """All metrics of the run, such as test/accuracy and best/epoch."""
    transductive: bool | None = None
    """True if its model has seen texts of the test reviews, see `sentexp.books`; None otherwise."""
    history: list[dict[str, float]] = field(default_factory=list)
    """The metrics of each epoch, as `fit` reports them."""
    seconds: float | None = None
    error: str | None = None
    """Why it failed or was interrupted, in one line."""
    run_id: str | None = None
    """MLflow's id of the recorded run."""
    page: str | None = None
    """Address of the recorded run's page; see `Location.page`."""

    @property
    def has_ended(self) -> bool:
        return self.state in ("finished", "failed", "pruned")

    @property
    def is_done(self) -> bool:
        """True if it need not be tried again."""
        return self.state in ("finished", "pruned")

    @property
    def run_name(self) -> str:
        """Name of the recorded run, such as `3 num_layers=2 seed=1`.

        The number comes first: MLflow's pages show only the beginning of a name.
        """
        varying = self.point.values | ({} if self.seed is None else {"seed": str(self.seed)})
        return " ".join([str(self.number), *in_short(varying)])

    def problem(self) -> str | None:
        """Return what is wrong with a record that may be anyone's; None for one that a sweep can have written."""
        wrong = misfit({one.name: getattr(self, one.name) for one in fields(self)}, JobRecord)
        if wrong is not None:
            return f"{wrong} is {getattr(self, wrong)!r}"
        if self.state not in STATES:
            return f"state is {self.state!r}"
        if PurePath(self.folder).is_absolute() or ".." in PurePath(self.folder).parts:  # it is written to
            return f"folder is {self.folder!r}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored: every field that has a value, apart from TOLD_BY_TRIAL."""
        stored = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in TOLD_BY_TRIAL}
        stored = {name: value for name, value in stored.items() if name == "seed" or value not in (None, {}, [])}
        return stored if self.restarts else {name: value for name, value in stored.items() if name != "restarts"}

    @staticmethod
    def from_dict(stored: Mapping[str, Any], *, point: Point, trial: int, index: int) -> JobRecord:
        """Return the record of which `stored` is the `to_dict`."""
        values = stored.get("values")
        found = {**stored, "values": None if values is None else tuple(values)}
        return JobRecord(point=point, trial=trial, index=index, **found)
