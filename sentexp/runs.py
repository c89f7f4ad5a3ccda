"""From what a user calls RUN to the folder of its trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sentexp import checkpoint_files
from sentexp.errors import SentexpError, nearest_path
from sentexp.tracking.logged_model import LANGUAGE_MODEL, TYPE
from sentexp.tracking.recorded_runs import LISTED, RecordedRun, RecordedRuns
from sentexp.trained_ensemble import is_predictor

METRIC = "best/valid_accuracy"
"""Metric by which `best` chooses."""

IN_A_FOLDER = ("", "model", "artifacts/model", "model/artifacts/model")
"""Where the trained model may lie in a folder that the user names: its own, a run's, an MLflow model's."""


@dataclass(frozen=True)
class FoundRun:
    """A trained model on this machine, and the run that recorded it."""

    folder: Path
    """What `load_predictor` takes."""
    name: str
    """What messages and tables call it."""
    recorded: RecordedRun | None = None
    """None for a folder."""


def find_run(
    run: str,
    *,
    tracking_uri: str | None = None,
    experiment: str | None = None,
    metric: str = METRIC,
    language_models: bool = False,
) -> FoundRun:
    """Find a trained model.

    `run` is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`, which is that of `metric`. `experiment` is where these are looked for, by default in all of them;
    language models are among them if `language_models`. A folder of this name comes before a run.

    Raises SentexpError, with the candidates, if there is no such run or several, and for a run without a model.
    """
    if run.startswith(("runs:/", "models:/")):
        runs = RecordedRuns(tracking_uri)
        return _found(runs, runs.by_uri(run))
    path = Path(run).expanduser()
    if path.exists() or "/" in run:
        return FoundRun(_in_folder(path), run)
    types = (TYPE, LANGUAGE_MODEL) if language_models else (TYPE,)
    runs = RecordedRuns(tracking_uri, experiment, types)
    if run == "latest":
        return _found(runs, runs.latest())
    if run == "best":
        return _found(runs, runs.best(metric))
    candidates = runs.named(run)
    if len(candidates) > 1:
        candidates = [one for one in candidates if one.model_id is not None] or candidates
    if len(candidates) > 1:
        raise SentexpError(f"{run}: {len(candidates)} runs: {_listed(candidates)}; expected the id of one")
    if not candidates:
        newest = runs.newest()
        there = f"; the newest: {_listed(newest)}" if newest else "; there is none with a model"
        raise SentexpError(f"{run}: no such run or folder{there}")
    return _found(runs, candidates[0])


def stopped_run(run: str, *, tracking_uri: str | None = None) -> Path:
    """Return the output folder of a run that was stopped before its end.

    `run` is that folder, the id of an MLflow run or its beginning, a run's name, or `latest`: the newest run that has
    not finished and has a checkpoint on this machine. Raises SentexpError if there is none.
    """
    path = Path(run).expanduser()
    if path.exists() or "/" in run:
        return path
    runs = RecordedRuns(tracking_uri)
    if run == "latest":
        for one in runs.stopped():
            if one.output is not None and checkpoint_files.there(one.output):
                return one.output
        raise SentexpError(f"{run}: no run that was stopped has a checkpoint here; expected the output folder of one")
    candidates = runs.named(run)
    if len(candidates) != 1:
        found = f"{len(candidates)} runs: {_listed(candidates)}" if candidates else "no such run or folder"
        raise SentexpError(f"{run}: {found}; expected the output folder of a run, or its id")
    if candidates[0].output is None:
        raise SentexpError(f"{run}: its output folder is not recorded; expected that folder")
    return candidates[0].output


def _found(runs: RecordedRuns, run: RecordedRun) -> FoundRun:
    return FoundRun(runs.model_folder(run), run.name, run)


def _listed(runs: list[RecordedRun]) -> str:
    return ", ".join(map(str, runs[:LISTED])) + (", ..." if len(runs) > LISTED else "")


def _in_folder(path: Path) -> Path:
    if not path.exists():
        raise SentexpError(f"{path}: no such folder{nearest_path(str(path))}")
    for inner in IN_A_FOLDER:
        if is_predictor(path / inner):
            return path / inner
    raise SentexpError(f"{path}: no trained model; expected the output folder of a run, or the folder model in it")
