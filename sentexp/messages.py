"""What a run says on the terminal and in its log, apart from its epochs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sentexp.baseline import Baselines
from sentexp.books import Overlap
from sentexp.data.raw_split import UNLABELLED_SPLIT
from sentexp.data.reviews import Reviews
from sentexp.inspection.findings import Finding
from sentexp.schema import METRICS
from sentexp.tracking.interface import PARENT_RUN_ID_VARIABLE, Location
from sentexp.training import FitResult
from sentexp.training.checkpoints import Saved
from sentexp.training.objective import Objective

log = logging.getLogger(__name__)

SHOWN = ("test/loss", "test/accuracy", "test/f1", "test/roc_auc")
"""Metrics that the last lines show, beside those of evaluation.metrics."""

SUITED = {"files": "recommended", "hub": "recommended", "imdb": "imdb", "imdb_unlabelled": "imdb"}
"""The preset that suits each kind of data."""


@contextmanager
def shown() -> Iterator[None]:
    """Print what the block logs, if nothing else would show it."""
    logger = logging.getLogger("sentexp")
    if logger.hasHandlers():
        yield
        return
    handler, level = logging.StreamHandler(sys.stdout), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def about_defaults(overrides: Sequence[str], chosen: Mapping[str, str]) -> None:
    """Say which preset suits the data, if a recurrent model would meet it with values that were chosen for the demo."""
    preset = SUITED.get(chosen.get("data", ""))
    as_it_is = "experiment" not in chosen and not any(override.startswith("model.") for override in overrides)
    if preset is not None and as_it_is and chosen.get("model") in ("lstm", "gru"):
        log.info("model: its default values suit the demo; experiment=%s suits these reviews better", preset)


def about_data(reviews: Reviews) -> None:
    """Say how many reviews there are, and how much of the source is not among them."""
    sizes = ", ".join(f"{len(rows):,} {split}" for split, rows in reviews.splits.items())
    log.info("data: %s: %s reviews; labels %s", reviews.source, sizes, ", ".join(reviews.labels))
    for reason, count in reviews.skipped.items():
        log.warning("data: %s skipped: %s", f"{count:,}", reason)
    for reason, count in reviews.dropped.items():
        log.info("data: %s left out: %s", f"{count:,}", reason)


def about_findings(findings: Sequence[Finding]) -> None:
    """Say what makes the data unfit to train on; `sentexp data` says the rest."""
    for finding in findings:
        if finding.grave:
            log.warning("data: %s", finding.line)


def about_overlap(overlap: Overlap) -> None:
    """Say how many test reviews the model has seen as text, if there are any."""
    if overlap.line:
        log.log(logging.WARNING if overlap.transductive else logging.INFO, "books: %s", overlap.line)


def about_objective(objective: Objective, reviews: Reviews) -> None:
    """Say that an objective which reads unlabelled reviews finds none."""
    if objective.reads_unlabelled and UNLABELLED_SPLIT not in reviews.splits:
        log.info(
            "objective: it also learns from reviews without labels, and the data has none; data.unlabelled_split, "
            "data.unlabelled or data.labels name some"
        )


def about_training(fitted: FitResult) -> None:
    """Say which epoch is kept, and why."""
    log.info("")
    log.info(_kept(fitted))


def _kept(fitted: FitResult) -> str:
    if fitted.best_loss is None:
        return f"kept epoch {fitted.best_epoch}, without validation"
    if fitted.best_accuracy is None:
        perplexity = fitted.history[fitted.best_epoch - 1]["valid/perplexity"]
        return f"best epoch {fitted.best_epoch}, validation perplexity {perplexity:.2f}"
    return f"best epoch {fitted.best_epoch}, validation accuracy {fitted.best_accuracy:.4f}"


def about_going_on(saved: Saved, output: Path) -> None:
    """Say where a training goes on."""
    under_way = "" if saved["sums"] is None else f", in epoch {saved['epoch']}"
    log.info("resume: after step %s%s, from %s", f"{saved['step']:,}", under_way, output)


def about_stopping(step: int | None, command: str) -> None:
    """Say by which command a training that has been stopped goes on, if a checkpoint was written."""
    if step is not None and PARENT_RUN_ID_VARIABLE not in os.environ:  # a sweep says how its jobs go on
        log.info("stopped after step %s; go on with: %s", f"{step:,}", command)


def about_test(metrics: Mapping[str, float], f1_of: str) -> None:
    """Say how good the model is; `f1_of` says whose F1 it is."""
    shown = [*SHOWN, *(name for name in metrics if name.startswith("test/") and name not in METRICS)]
    values = {name: f"{name.replace('/', ' ')} {metrics[name]:.4f}" for name in shown if name in metrics}
    values["test/f1"] += f" ({f1_of})"
    log.info("  ".join(values.values()))


def described_language_model(fitted: FitResult, reviews: Reviews, sizes: Mapping[str, float]) -> str:
    """Return what stands at the head of a language model's page in MLflow, in Markdown."""
    kept = f"**language model**, {_kept(fitted)}, of {len(fitted.history)} epochs"
    return "\n\n".join([kept, *_of_what(reviews, sizes)])


def described(
    metrics: Mapping[str, float],
    fitted: FitResult,
    f1_of: str,
    baselines: Baselines | None,
    reviews: Reviews,
    sizes: Mapping[str, float],
) -> str:
    """Return what stands at the head of the run's page in MLflow, in Markdown; `sizes` are those of the model."""
    lines = [
        f"**test accuracy {metrics['test/accuracy']:.4f}**, f1 {metrics['test/f1']:.4f} ({f1_of}), "
        f"{_kept(fitted)}, of {len(fitted.history)} epochs",
        *_of_what(reviews, sizes),
    ]
    if baselines is not None:
        lines.insert(1, baselines.compared(metrics["test/accuracy"]))
    return "\n\n".join(lines)


def _of_what(reviews: Reviews, sizes: Mapping[str, float]) -> list[str]:
    rows = ", ".join(f"{len(split):,} {name}" for name, split in reviews.splits.items())
    return [
        f"{reviews.source}: {rows} reviews",
        f"{sizes['model/parameters']:,.0f} parameters, {sizes['model/vocabulary']:,.0f} words in the vocabulary",
    ]


def about_place(output_dir: Path, location: Location | None) -> None:
    """Say where everything lies."""
    log.info("model and reports: %s", output_dir)
    if location is not None:
        log.info("run %s of experiment %s: %s", location.run_name, location.experiment, location.uri)
        for line in location.lines():
            log.info(line)
