"""Runs that are to become one ensemble: found, loaded, and refused where they do not belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentexp.books import SELECTION
from sentexp.config import plain
from sentexp.data.labels import shortened
from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.instantiate import build
from sentexp.runs import FoundRun, find_run
from sentexp.schema import Config
from sentexp.trained_ensemble import load_predictor, single
from sentexp.trained_model import TrainedModel
from sentexp.use.judging import JUDGED
from sentexp.use.recorded_config import composed_over


@dataclass(frozen=True)
class Candidate:
    """One of these runs."""

    found: FoundRun
    model: TrainedModel
    config: Config
    """By which it would be judged alone."""

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return self.found.name

    @property
    def run_id(self) -> str | None:
        """Its run in MLflow; None for a folder."""
        return self.found.recorded.run_id if self.found.recorded is not None else None


def find_candidates(
    runs: Sequence[str | Path], overrides: Sequence[str], config_dir: Path | None, *, trust: bool, **found_by: Any
) -> list[Candidate]:
    """Find and load the models of `runs`, each as `find_run` does, and compose what they are judged by.

    Raises SentexpError as `find_run`, `load_predictor` and `composed_over` do, for a run that is named twice, an
    ensemble, and models whose labels differ.
    """
    found = [find_run(str(run), **found_by) for run in runs]
    places: dict[Path, str] = {}
    for one in found:
        place = one.folder.resolve()
        if place in places:
            raise SentexpError(f"{one.name}: the same model as {places[place]}; expected each once")
        places[place] = one.name
    models = [single(load_predictor(one.folder, trust=trust), one.name) for one in found]
    for one, model in zip(found, models, strict=True):
        if model.labels != models[0].labels:
            raise SentexpError(
                f"{one.name}: has the labels {shortened(model.labels)}; "
                f"expected {shortened(models[0].labels)}, as {found[0].name} has"
            )
    return [
        Candidate(one, model, _composed(one.name, model, overrides, config_dir))
        for one, model in zip(found, models, strict=True)
    ]


def check_reviews(candidates: Sequence[Candidate], reviews: Reviews) -> None:
    """Raise SentexpError if a run has other validation or test reviews than `reviews`, those of the first one.

    Else weights would be chosen, or the ensemble judged, by reviews that a member was trained on.
    """
    first = candidates[0]
    for one in candidates:
        own = reviews.digests if plain(one.config.data) == plain(first.config.data) else _digests(one)
        for split, called in zip(JUDGED, ("validation", "test"), strict=True):
            if own.get(split) != reviews.digests.get(split):
                raise SentexpError(
                    f"{one.name}: has other {called} reviews than {first.name}; expected runs on the same data, with "
                    "the same data.seed and fractions"
                )
        chosen_by = one.model.books.parts.get(SELECTION, ()) if one.model.books is not None else ()
        if chosen_by and own.get("valid") not in chosen_by:
            raise SentexpError(f"{one.name}: its validation reviews are no longer those of its training")


def _composed(name: str, model: TrainedModel, overrides: Sequence[str], config_dir: Path | None) -> Config:
    try:
        return composed_over(model.config, overrides, config_dir, trust=model.trusted)
    except SentexpError as error:
        raise SentexpError(f"{name}: {error}") from error


def _digests(candidate: Candidate) -> dict[str, str]:
    """Return the digests of the reviews that a run was trained on, of which no more than that is kept."""
    try:
        reviews: Reviews = build(candidate.config.data, cache_dir=Path(candidate.config.cache_dir).expanduser())
    except SentexpError as error:
        raise SentexpError(f"{candidate.name}: {error}") from error
    return reviews.digests
