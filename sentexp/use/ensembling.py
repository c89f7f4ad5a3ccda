"""Makes an ensemble of trained models: its weights are chosen on validation reviews, then the test reviews are read."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentexp import evaluation, messages, scores, statistics, terminal
from sentexp.config import plain
from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.lines import printable
from sentexp.report.notebook import notebook_table
from sentexp.report.spreadsheet import write_csv
from sentexp.runs import METRIC
from sentexp.schema import Config
from sentexp.tracking.interface import Location, Run
from sentexp.tracking.none import NoTracking
from sentexp.trained_ensemble import SECTION, Ensemble, Member
from sentexp.use.candidates import check_reviews, find_candidates
from sentexp.use.evaluating import Evaluation, evaluate_judged
from sentexp.use.evaluation_report import write_evaluation
from sentexp.use.judging import JUDGED, Judged, judge, load_reviews, mixed, part_of
from sentexp.use.recording import log_data, log_overlap, run_about
from sentexp.use.shown import number, page_table, section

# Shapes: M members, N reviews of a split, C classes

log = logging.getLogger(__name__)

HEADS = ["member", "weight", "valid loss", "valid accuracy", "test loss", "test accuracy"]
"""Columns of `EnsembleResult.table`."""


@dataclass(frozen=True)
class EnsembleResult:
    """The result of making an ensemble, and where its parts are."""

    ensemble: Ensemble
    evaluation: Evaluation
    """What is known of it on the test reviews."""
    metrics: dict[str, float]
    """valid/NAME and test/NAME, as they are recorded."""
    table: pd.DataFrame
    """HEADS, a row for each member and one for the ensemble; NaN without validation reviews."""
    model_folder: Path
    """Folder that `sentexp.load` takes."""
    report: Path
    """Folder with the pages and tables."""
    location: Location | None
    """Where it is recorded; None if it is not."""

    def rows(self) -> list[list[str]]:
        """Return the table as texts."""
        return [
            [name, *("" if math.isnan(value) else number(value) for value in values)]
            for name, *values in self.table.itertuples(index=False)
        ]

    def __repr__(self) -> str:
        accuracy = f"test accuracy {self.metrics['test/accuracy']:.4f}"
        return f"EnsembleResult({printable(self.ensemble.formula)}: {accuracy}; {printable(str(self.model_folder))})"

    def _repr_html_(self) -> str:
        lines = [*self.evaluation.notes, f"model: {self.model_folder}"]
        lines += self.location.lines() if self.location is not None else []
        return notebook_table("Ensemble", [HEADS, *self.rows()], lines)


@messages.shown()
def ensemble(
    *runs: str | Path,
    weights: str | Sequence[float] = "valid",
    overrides: Sequence[str] = (),
    config_dir: Path | str | None = None,
    output_dir: Path | None = None,
    record: bool = True,
    tracking_uri: str | None = None,
    experiment: str | None = None,
    metric: str = METRIC,
    trust: bool = False,
) -> EnsembleResult:
    """Average the probabilities of trained models, judge the mean on their test reviews, and record it as a run.

    >>> from sentexp import compose, ensemble, load, run
    >>> small = ["data.size=200", "tracking=none"]
    >>> lstm = run(compose(*small, "trainer.epochs=1")).model_folder
    >>> words = run(compose(*small, "model=nb_ngrams")).model_folder
    >>> both = ensemble(lstm, words, record=False)
    >>> round(sum(both.ensemble.weights), 6)
    1.0
    >>> load(both.model_folder).predict(["a good film"]).shape  # probabilities [N, C]
    torch.Size([1, 2])

    `weights` are `valid`, by which the mean has the lowest loss on the validation reviews, `equal`, or a number for
    each run, as a list or as text with commas; only their proportions count. Each run is a folder or what `find_run`
    takes; `overrides` and `config_dir` are as for `LoadedModel.evaluate`, and hold for all runs. Model and report go to
    `output_dir`, by default a folder under outputs/.

    The runs must have the same labels, validation and test reviews. Raises SentexpError if they have not, for fewer
    than two, for an ensemble among them, for weights that do not fit, and as `find_run` and `composed_over` do.
    """
    asked = _asked(weights, len(runs))
    folder = None if config_dir is None else Path(config_dir)
    where: dict[str, Any] = {"tracking_uri": tracking_uri, "experiment": experiment}
    with terminal.status("loading the models"):
        candidates = find_candidates(runs, overrides, folder, trust=trust, metric=metric, **where)
    config, labels = candidates[0].config, candidates[0].model.labels
    scores.positive_class(config.evaluation.positive, labels)  # refused before anything is predicted
    output_dir = output_dir or Path("outputs", f"{datetime.now():%Y-%m-%d/%H-%M-%S.%f}-ensemble")
    found = [one.found for one in candidates]
    tracking = run_about(found, **where, what="ensemble", role="member", log_model=True)
    with tracking if record else NoTracking().run() as recorded:
        reviews = load_reviews(config)
        check_reviews(candidates, reviews)
        log_data(recorded, config, overrides, reviews, name="data")
        valid: list[dict[str, Judged]] = [{} for _ in candidates]
        if "valid" in reviews.splits:
            valid = [judge(one.model, part_of(reviews, ["valid"]), config) for one in candidates]
        elif asked is None:
            raise SentexpError(
                f"weights valid: {candidates[0].name} has no validation reviews; expected equal, or a number for each "
                "run"
            )
        chosen = asked if asked is not None else _fitted([one["valid"].predictions for one in valid])
        both = Ensemble(
            [
                Member(one.model, weight, one.name, one.run_id)
                for one, weight in zip(candidates, chosen.tolist(), strict=True)
            ],
            weighting=weights if isinstance(weights, str) else ",".join(map(str, weights)),
            sections={"data": plain(config.data), "evaluation": plain(config.evaluation)},
        )
        both.save(output_dir / "model")
        log.info("ensemble: %s", both.formula)
        log.info("model: %s", output_dir / "model")

        tested = [judge(one.model, part_of(reviews, ["test"]), config) for one in candidates]
        judged = [{**of_valid, **of_test} for of_valid, of_test in zip(valid, tested, strict=True)]
        together = mixed(judged, both.weights)
        evaluated = evaluate_judged(both, together, reviews, config)
        result = EnsembleResult(
            both,
            evaluated,
            metrics={**_valid_metrics(together), **evaluated.recorded_metrics()},
            table=_table(both, [*judged, together]),
            model_folder=output_dir / "model",
            report=output_dir / "reports",
            location=recorded.location(),
        )
        _record(recorded, result, reviews, config)
    return result


def _asked(weights: str | Sequence[float], count: int) -> np.ndarray | None:
    """Return the weights [M] that were asked for; None for those that are found on the validation reviews."""
    if count < 2:
        raise SentexpError(f"ensemble: {count} RUN; expected two or more")
    if weights == "valid":
        return None
    try:
        given = [1.0] * count if weights == "equal" else list(map(float, _parts(weights)))
    except (TypeError, ValueError):
        given = []
    total = sum(given)
    if len(given) != count or min(given) < 0 or not 0 < total < math.inf:
        example = ",".join(["0.7", *[f"{0.3 / (count - 1):.2g}"] * (count - 1)])
        raise SentexpError(
            f"weights {weights}: expected valid, equal or {count} numbers that are not negative, such as {example}"
        )
    return np.array(given) / total


def _parts(weights: str | Sequence[float]) -> Iterable[str | float]:
    return weights.split(",") if isinstance(weights, str) else weights


def _fitted(members: Sequence[evaluation.Predictions]) -> np.ndarray:
    """Return the weights [M] with the lowest loss on reviews of which the members' predictions are given."""
    probabilities = np.stack([one.probabilities.double().numpy() for one in members])  # [M, N, C]
    return statistics.fit_weights(probabilities, members[0].labels.numpy())


def _accuracy(judged: Judged) -> float:
    predictions = judged.predictions
    return float((predictions.answers == predictions.labels).double().mean())


def _valid_metrics(judged: dict[str, Judged]) -> dict[str, float]:
    """Return the validation metrics by the names that training gives them; `best` finds a run by its best/ ones."""
    if "valid" not in judged:
        return {}
    loss = judged["valid"].predictions.loss
    assert loss is not None  # validation reviews have labels
    accuracy = _accuracy(judged["valid"])
    found = {"loss": loss, "accuracy": accuracy}
    return {f"{prefix}{name}": value for prefix in ("valid/", "best/valid_") for name, value in found.items()}


def _table(both: Ensemble, judged: Sequence[dict[str, Judged]]) -> pd.DataFrame:
    rows = []
    names = [*map(str, both.members), "ensemble"]
    for name, weight, splits in zip(names, [*both.weights, sum(both.weights)], judged, strict=True):
        figures = [
            figure
            for split in JUDGED
            for figure in (
                (splits[split].predictions.loss, _accuracy(splits[split])) if split in splits else (math.nan, math.nan)
            )
        ]
        rows.append([name, weight, *figures])
    return pd.DataFrame(rows, columns=HEADS)


def _record(record: Run, result: EnsembleResult, reviews: Reviews, config: Config) -> None:
    """Write the report, and record it with the model and the figures."""
    both, evaluated = result.ensemble, result.evaluation
    names = ", ".join(member.name for member in both.members)
    with terminal.status("writing the report"):
        members = section("Members", page_table(HEADS, result.rows(), HEADS[1:]))
        write_evaluation(evaluated, f"the ensemble of {names}", reviews, config, result.report, [members])
        write_csv(result.table, result.report / "members.csv")
        record.log_params({SECTION: both.config[SECTION]})
        record.log_model(result.model_folder)  # first, so that the figures are linked to it
        record.log_metrics(result.metrics)
        if both.books is not None:
            record.set_tags({"seen": both.books.tag()})
        record.set_tags({"output": str(result.model_folder.parent.absolute())})
        log_overlap(
            record, evaluated.overlap, f"**test accuracy {result.metrics['test/accuracy']:.4f}**, {both.formula}"
        )
        record.log_folder(result.report, "reports")
