"""Records evaluations and comparisons of trained models in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sentexp.books import Overlap
from sentexp.config import plain
from sentexp.data.reviews import Reviews
from sentexp.runs import FoundRun
from sentexp.schema import Config
from sentexp.tracking import environment
from sentexp.tracking.interface import Run
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.tracking.none import NoTracking


def child_of(found: FoundRun, tracking_uri: str | None, name: str) -> AbstractContextManager[Run]:
    """Start a child run of a recorded run, in its experiment; a run that records nothing for a folder."""
    if found.recorded is None:
        return NoTracking().run()
    tracker = MlflowTracker(tracking_uri, found.recorded.experiment, log_model=False)
    return tracker.run(parent_run_id=found.recorded.run_id, name=name)


def run_about(
    runs: Sequence[FoundRun],
    tracking_uri: str | None,
    experiment: str | None,
    *,
    what: str,
    role: str,
    log_model: bool = False,
) -> AbstractContextManager[Run]:
    """Start a run called after `what` is done with others, in the experiment of the first that is recorded.

    Its tags ROLE.1, ROLE.2 ... are the ids of these runs.
    """
    recorded = [found.recorded for found in runs if found.recorded is not None]
    where = recorded[0].experiment if recorded else experiment
    options: dict[str, Any] = {} if where is None else {"experiment": where}
    tags = {
        f"{role}.{place}": found.recorded.run_id if found.recorded else found.name
        for place, found in enumerate(runs, 1)
    }
    name = f"{what} {', '.join(found.name for found in runs)}"
    return MlflowTracker(tracking_uri, **options, log_model=log_model, tags=tags).run(name=name)


def log_overlap(record: Run, overlap: Overlap | None, described: str = "") -> None:
    """Record how many test reviews the model has seen, and mark the run if that makes it transductive.

    `described`, and what the mark means, stand at the head of the run's page.
    """
    lines = [described] if described else []
    if overlap is not None:
        record.set_tags({"test_seen": overlap.count})
        if overlap.transductive:
            record.set_tags({"transductive": "true"})
            lines.append(overlap.line)
    if lines:
        record.describe("\n\n".join(lines))


def log_data(record: Run, config: Config, overrides: Sequence[str], reviews: Reviews, name: str) -> None:
    """Record by what a model is judged: the sections data and evaluation, and the splits that are used."""
    sections: dict[str, Any] = {"data": plain(config.data), "evaluation": plain(config.evaluation)}
    record.log_config(sections, overrides)
    record.log_environment(environment.describe())
    for split, rows in reviews.splits.items():
        record.log_dataset(name, split, reviews.digests[split], reviews.source, len(rows))
    record.set_tags({"labels": reviews.labels, "skipped": reviews.skipped})
