"""One experiment from its configuration to its recorded result: the table of contents of the program."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from sentexp import evaluation, terminal
from sentexp.batches import Batches, plan
from sentexp.data.reviews import Reviews
from sentexp.embedding.table import Coverage
from sentexp.errors import Pruned, SentexpError
from sentexp.instantiate import build, build_model, build_pipeline, factory
from sentexp.machine.choose import available_cores
from sentexp.machine.torchrun import rank
from sentexp.model import shapes
from sentexp.model.bag_of_words import BagOfWordsClassifier
from sentexp.model.classifier import RecurrentClassifier
from sentexp.text.corpus import Corpus
from sentexp.text.pipeline import TextPipeline
from sentexp.tracking import environment
from sentexp.tracking.interface import Location, Run
from sentexp.tracking.none import NoTracking
from sentexp.trained_model import TrainedModel
from sentexp.training import FitResult, Machine, Progress, Work, choose_machine, fit

log = logging.getLogger(__name__)

Plain = dict[str, Any]


@dataclass(frozen=True)
class RunResult:
    metrics: dict[str, float]
    """test/loss, test/accuracy, test/f1, test/roc_auc, best/valid_accuracy, best/epoch."""
    history: list[dict[str, float]]
    """One entry an epoch, as `fit` gives it."""
    model_folder: Path
    """What `TrainedModel.load` reads."""
    location: Location | None
    """Where the run is recorded, if it is."""


@dataclass(frozen=True)
class Prepared:
    reviews: Reviews
    pipeline: TextPipeline
    corpora: dict[str, Corpus]
    coverage: Coverage | None
    """Of the vocabulary by pretrained word vectors, if there are any."""
    model: nn.Module


def run(
    config: DictConfig,
    *,
    overrides: Sequence[str] = (),
    choices: Mapping[str, str | None] | None = None,
    output_dir: Path = Path("."),
    name: str | None = None,
    on_start: Callable[[Location | None], None] | None = None,
    on_epoch: Callable[[dict[str, float], int], None] | None = None,
) -> RunResult | None:
    """Load, encode, build, fit, test, record. `config` has been checked; `choices` names the option of each group.

    `name` is what the recorded run is called if tracking.run_name is null. `on_start` is told where it is recorded,
    `on_epoch` each epoch's entry of the history; it may raise Pruned to stop the run. Returns None then, and in the
    further processes of torchrun, which only train along. Raises SentexpError for what the user can mend; the recorded
    run then ends as FAILED.
    """
    plain: Plain = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    plain.pop("sweep", None)  # says how the run came about, not what it is
    _choose_machine(plain, work=None)  # a device that is not there is refused before anything is loaded
    tracker = build(plain["tracking"]) if rank() == 0 else NoTracking()
    with tracker.run(parent_run_id=os.environ.get("SENTEXP_PARENT_RUN_ID"), name=name) as record:
        if on_start is not None:
            on_start(record.location())
        record.log_config(plain, overrides)
        record.set_tags({"choice": {group: choice for group, choice in (choices or {}).items() if choice}})
        record.log_environment(environment.describe())

        prepared = prepare(plain)
        _record_data(record, prepared, name=(choices or {}).get("data") or "data")
        machine = _choose_machine(plain, _work(plain, prepared))
        for what, reason in machine.reasons.items():
            log.info("%s: %s", what, reason)
        record.log_params({"chosen": machine.reasons})

        try:
            fitted = _fit(plain, prepared, machine, record, on_epoch)
        except Pruned as pruned:
            record.set_tags({"pruned": pruned.epoch})
            log.info("pruned after epoch %d", pruned.epoch)
            return None
        if rank() > 0:
            return None
        metrics, predictions = _test(plain, prepared, machine, fitted)
        record.log_metrics(metrics, step=fitted.best_epoch)

        from sentexp.report.run.folder import write_reports  # matplotlib, which no step of the training waits for

        write_reports(
            output_dir / "reports",
            history=fitted.history,
            best_epoch=fitted.best_epoch,
            probabilities=predictions.probabilities,
            labels=predictions.labels,
            lengths=prepared.corpora["test"].lengths,
            texts=prepared.reviews.splits["test"]["text"],
            names=prepared.reviews.labels,
        )
        record.log_folder(output_dir / "reports", "reports")
        model_folder = output_dir / "model"
        TrainedModel(prepared.pipeline, prepared.model, prepared.reviews.labels, plain).save(model_folder)
        record.log_model(model_folder)
        location = record.location()
    _print_summary(metrics, fitted, location, output_dir)
    return RunResult(metrics, fitted.history, model_folder, location)


def show_shapes(config: DictConfig) -> str:
    """The way of one real training batch through the model, layer by layer."""
    plain: Plain = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    prepared = prepare(plain)
    if not isinstance(prepared.model, (RecurrentClassifier, BagOfWordsClassifier)):
        raise SentexpError(f"shapes=true: knows no way through model._target_={plain['model']['_target_']}")
    train, vocabulary = prepared.corpora["train"], prepared.pipeline.vocabulary
    batches = Batches(
        train, pad_index=vocabulary.pad_index, width=plain["text"]["fix_length"], device=torch.device("cpu")
    )
    rows = torch.arange(min(plain["trainer"]["batch_size"] or 64, len(train)))
    batch = next(iter(batches.of([rows])))
    words = [vocabulary.itos[number] for number in batch.ids[0, : int(batch.lengths[0])].tolist()]
    return shapes.describe(prepared.model, batch.ids, batch.lengths, words)


def prepare(plain: Plain) -> Prepared:
    """Everything that training needs: reviews, their words as numbers, and a model with its first weights."""
    cache_dir = Path(plain["cache_dir"]).expanduser()
    reviews: Reviews = build(plain["data"])
    _report_data(reviews)
    pipeline = build_pipeline(plain)
    with terminal.bar() as progress:
        corpora = pipeline.prepare(reviews, cache_dir, processes=available_cores()[0], progress=progress)
    for line in pipeline.report_lines():
        log.info("text: %s", line)

    torch.manual_seed(plain["seed"])
    vocabulary = pipeline.vocabulary
    with terminal.bar() as progress:
        embedding = build(
            plain["embedding"], vocabulary=vocabulary, cache_dir=cache_dir, seed=plain["seed"], progress=progress
        )
    if embedding.coverage is not None:
        log.info("embedding: %s", embedding.coverage)
    model = build_model(plain, embedding, len(reviews.labels), vocabulary.unk_index)
    log.info("model: %s parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}")
    return Prepared(reviews, pipeline, corpora, embedding.coverage, model)


def _choose_machine(plain: Plain, work: Work | None) -> Machine:
    wanted = {key: plain["trainer"][key] for key in ("device", "precision", "processes", "threads")}
    return choose_machine(**wanted, work=work)


def _work(plain: Plain, prepared: Prepared) -> Work:
    size = {key: plain["trainer"][key] for key in ("epochs", "batch_size", "max_tokens")}
    return Work.of(prepared.model, prepared.corpora["train"].lengths, **size)


def _fit(
    plain: Plain,
    prepared: Prepared,
    machine: Machine,
    record: Run,
    tell: Callable[[dict[str, float], int], None] | None,
) -> FitResult:
    elsewhere = ("device", "precision", "processes", "threads")  # these made the machine
    settings = {key: value for key, value in plain["trainer"].items() if key not in elsewhere}

    def on_epoch(metrics: dict[str, float], epoch: int) -> None:
        record.log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step=epoch)
        if tell is not None:
            tell(metrics, epoch)

    return fit(
        prepared.model,
        prepared.corpora["train"],
        prepared.corpora["valid"],
        optimizer=factory(plain["optimizer"]),
        schedule=factory(plain["schedule"]),
        machine=machine,
        pad_index=prepared.pipeline.vocabulary.pad_index,
        width=plain["text"]["fix_length"],
        seed=plain["seed"],
        on_epoch=on_epoch,
        progress=Progress(log.info, terminal.console()) if rank() == 0 else None,
        **settings,
    )


def _test(
    plain: Plain, prepared: Prepared, machine: Machine, fitted: FitResult
) -> tuple[dict[str, float], evaluation.Predictions]:
    """The test split, looked at once, by the weights that validation chose."""
    corpus, trainer = prepared.corpora["test"], plain["trainer"]
    planned = None
    if not trainer["bucket"]:  # padded as the validation reviews were
        sizes = {key: trainer[key] for key in ("batch_size", "max_tokens")}
        planned = plan(corpus.lengths, **sizes, bucket=False, seed=plain["seed"], epoch=0)
    predictions = evaluation.predict(
        prepared.model,
        corpus,
        planned=planned,
        machine=machine,
        pad_index=prepared.pipeline.vocabulary.pad_index,
        width=plain["text"]["fix_length"],
        num_classes=len(prepared.reviews.labels),
    )
    figures, notes = evaluation.metrics(predictions)
    for note in notes:
        log.warning("test: %s", note)
    best = {"best/valid_accuracy": fitted.best_accuracy, "best/valid_loss": fitted.best_loss}
    best["best/epoch"] = fitted.best_epoch
    return {**{f"test/{name}": value for name, value in figures.items()}, **best}, predictions


def _report_data(reviews: Reviews) -> None:
    sizes = ", ".join(f"{len(rows):,} {split}" for split, rows in reviews.splits.items())
    log.info("data: %s: %s reviews; labels %s", reviews.source, sizes, ", ".join(reviews.labels))
    for reason, count in reviews.skipped.items():
        log.warning("data: %s skipped: %s", f"{count:,}", reason)


def _record_data(record: Run, prepared: Prepared, name: str) -> None:
    reviews = prepared.reviews
    for split, rows in reviews.splits.items():
        record.log_dataset(name, split, reviews.digests[split], reviews.source, len(rows))
    record.log_params({"labels": reviews.labels, "skipped": reviews.skipped, "report": prepared.pipeline.report})
    if prepared.coverage is not None:
        record.log_params({"coverage": {"found": prepared.coverage.found, "wanted": prepared.coverage.wanted}})


def _print_summary(
    metrics: Mapping[str, float], fitted: FitResult, location: Location | None, output_dir: Path
) -> None:
    names = [name for name in metrics if name.startswith("test/")]
    log.info("")
    log.info("best epoch %d, validation accuracy %.4f", fitted.best_epoch, fitted.best_accuracy)
    log.info("  ".join(f"{name.replace('/', ' ')} {metrics[name]:.4f}" for name in names))
    log.info("model and reports: %s", output_dir)
    if location is not None:
        log.info("run %s of experiment %s: %s", location.run_name, location.experiment, location.uri)
        log.info("look at it: %s", location.ui_command)
