"""One experiment from its configuration to its recorded result: the table of contents of the program."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sentexp import evaluation, terminal
from sentexp.baseline import Baselines, judge_baselines
from sentexp.batches import Batches
from sentexp.config import plain
from sentexp.data.labels import name_of
from sentexp.data.reviews import Reviews
from sentexp.errors import Pruned, SentexpError, did_you_mean
from sentexp.imports import import_object
from sentexp.instantiate import build, build_machine, build_pipeline, build_recipe
from sentexp.machine.choose import Machine
from sentexp.machine.cores import available_cores
from sentexp.machine.torchrun import rank
from sentexp.model import shapes
from sentexp.schema import METRICS, Config
from sentexp.sweep.point import run_name
from sentexp.text.corpus import Corpus
from sentexp.text.pipeline import TextPipeline
from sentexp.text.scripts import foreign_script
from sentexp.text.spacy_tokenizer import SpacyTokenizer
from sentexp.text.tokenizers import Tokenizer, splits_at_spaces
from sentexp.tracking import environment
from sentexp.tracking.interface import PARENT_RUN_ID_VARIABLE, Location, Run
from sentexp.tracking.none import NoTracking
from sentexp.trained_model import TrainedModel
from sentexp.training import FitResult, Recipe, TrainingProgress, fit

# Shapes: V tokens in the vocabulary, B reviews in a batch, T tokens in the longest of them, C classes

log = logging.getLogger(__name__)

SHOWN = ("test/loss", "test/accuracy", "test/f1", "test/roc_auc")
"""Metrics that the last lines show, beside those of evaluation.metrics."""

LOOKED_AT = 500
"""Training reviews by which the script of all is judged."""

EpochCallback = Callable[[dict[str, float], int], object]
"""Called with an epoch's entry of the history and the epoch."""


@dataclass(frozen=True)
class RunResult:
    """The result of a run, and where its parts are."""

    metrics: dict[str, float]
    """test/NAME for each of `evaluation.metrics`, the function and the key; best/valid_accuracy, best/valid_loss,
    best/epoch."""
    history: list[dict[str, float]]
    """One entry per epoch; see `FitResult.history`."""
    model_folder: Path
    """Folder that `sentexp.load` takes."""
    location: Location | None
    """Where the run is recorded; None with tracking=none."""
    baselines: Baselines | None = None
    """What the model is compared with; None with evaluation.baseline=false."""


@dataclass(frozen=True)
class Prepared:
    """The data of a run, ready for training."""

    reviews: Reviews
    """Splits of (text, label), and the names of the labels."""
    pipeline: TextPipeline
    """What made the corpora, with its vocabulary [V]."""
    corpora: dict[str, Corpus]
    """train, valid and test: token ids int32 [N_tokens], offsets int64 [N + 1], labels int64 [N]."""


def run(
    config: Config,
    *,
    overrides: Sequence[str] = (),
    choices: Mapping[str, str | None] | None = None,
    output_dir: Path | None = None,
    name: str | None = None,
    on_start: Callable[[Location | None], None] | None = None,
    on_epoch: EpochCallback | None = None,
) -> RunResult | None:
    """Load, encode, build, fit, test, record: one experiment, as the command line runs it.

    >>> from sentexp import compose, run
    >>> result = run(compose("data.size=200", "trainer.epochs=1", "tracking=none"))
    >>> list(result.metrics)[:4]
    ['test/loss', 'test/accuracy', 'test/f1', 'test/precision']

    Reports and the trained model go to `output_dir`; None makes a folder under outputs/, named by the time. Where no
    logging is set up, as in a notebook, the lines of the run are printed. The remaining arguments are recorded or
    called: `overrides` as they were typed, `choices` with the option of each group, `name` of the run where
    tracking.run_name is null. `on_start` is called with where the run is recorded, `on_epoch` after each epoch; it may
    raise Pruned to stop.

    Returns None if the run was pruned, and in the further processes of torchrun, which only train along. Raises
    SentexpError for what the user can mend; the recorded run then ends as FAILED.
    """
    output_dir = output_dir or Path("outputs", f"{datetime.now():%Y-%m-%d/%H-%M-%S.%f}")
    with _lines_shown():
        return _run(config, overrides, choices, output_dir, name, on_start, on_epoch)


def _run(
    config: Config,
    overrides: Sequence[str],
    choices: Mapping[str, str | None] | None,
    output_dir: Path,
    name: str | None,
    on_start: Callable[[Location | None], None] | None,
    on_epoch: EpochCallback | None,
) -> RunResult | None:
    build_machine(config.trainer)  # a device that is not there is refused before anything is loaded
    recorded = _recorded(config)
    chosen = {group: option for group, option in (choices or {}).items() if option}
    tracker = build(config.tracking) if rank() == 0 else NoTracking()
    with tracker.run(
        parent_run_id=os.environ.get(PARENT_RUN_ID_VARIABLE),
        name=name or run_name(overrides, chosen),
        log_file=environment.log_file(output_dir),
    ) as record:
        if on_start is not None:
            on_start(record.location())
        record.log_config(recorded, overrides, chosen)
        record.log_environment(environment.describe())

        prepared = prepare(config)
        positive = _positive(config, prepared.reviews.labels)
        model = build_model(config, prepared)
        _record_data(record, prepared, model, name=chosen.get("data", "data"))
        machine = build_machine(config.trainer, model, prepared.corpora["train"].lengths)
        recipe = build_recipe(config, machine)
        _record_machine(record, recipe.machine)

        try:
            fitted = _fit(model, prepared, recipe, record, on_epoch)
        except Pruned as pruned:
            record.set_tags({"pruned": pruned.epoch})
            log.info("pruned after epoch %d", pruned.epoch)
            return None
        if rank() > 0:
            return None
        labels, model_folder = prepared.reviews.labels, output_dir / "model"
        TrainedModel(prepared.pipeline, model, labels, recorded).save(model_folder)
        with _kept(model_folder):
            predictions = _predict_test(model, prepared, recipe)
            metrics = {**_test_metrics(config, predictions, labels, positive), **_best(fitted)}
            baselines = _baselines(prepared, recipe) if config.evaluation.baseline else None
            with_texts = config.evaluation.texts
            _write_reports(output_dir / "reports", prepared, fitted, predictions, positive, with_texts)

            further = _of_each_label(predictions, labels)
            if baselines is not None:
                further |= {"baseline/majority": baselines.majority, "baseline/linear": baselines.linear}
            # the sizes last: MLflow's comparison opens on the metric that was recorded first
            further |= {"model/parameters": _parameters(model), "model/vocabulary": len(prepared.pipeline.vocabulary)}
            record.log_metrics({**metrics, **further})
            record.log_folder(output_dir / "reports", "reports")
            record.log_model(model_folder)
        location = record.location()
        f1_of = labels[positive] if len(labels) == 2 else f"mean of {len(labels)} labels"
        _print_summary(metrics, fitted, location, output_dir, f1_of, baselines)
    return RunResult(metrics, fitted.history, model_folder, location, baselines)


@contextmanager
def _lines_shown() -> Iterator[None]:
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


def prepare(config: Config) -> Prepared:
    """Load the reviews and encode each split as a corpus of token ids; both come from the cache the second time.

    >>> from sentexp import compose, prepare
    >>> prepared = prepare(compose("data.size=200", "vocab.max_size=50"))
    >>> prepared.reviews.labels
    ['negative', 'positive']
    >>> {split: len(corpus) for split, corpus in prepared.corpora.items()}
    {'train': 144, 'valid': 16, 'test': 40}
    >>> prepared.pipeline.vocabulary.itos[:2]
    ['<unk>', '<pad>']

    Raises SentexpError for reviews that cannot be read and for a tokenizer that fails.
    """
    reviews: Reviews = build(config.data, cache_dir=_cache_dir(config))
    _report_data(reviews)
    pipeline = build_pipeline(config)
    _check_script(reviews, pipeline.tokenizer)
    with terminal.bar() as progress:
        corpora = pipeline.prepare(reviews, _cache_dir(config), processes=available_cores()[0], progress=progress)
    for line in pipeline.report_lines():
        log.info("text: %s", line)
    return Prepared(reviews, pipeline, corpora)


def build_model(config: Config, prepared: Prepared) -> nn.Module:
    """Build the embedding and, on top of it, the model, with the first weights that the seed gives.

    The model maps ids [B, T] and lengths [B] to logits: [B] for two classes, [B, C] for more.

    >>> from sentexp import build_model, compose, prepare
    >>> config = compose("data.size=200", "model.hidden_size=32")
    >>> prepared = prepare(config)
    >>> model = build_model(config, prepared)
    >>> corpus = prepared.corpora["test"]
    >>> model(corpus.ids[: corpus.lengths[0]].unsqueeze(0), corpus.lengths[:1]).shape  # the first review
    torch.Size([1])

    Seeds torch. Raises SentexpError for word vectors that cannot be read.
    """
    torch.manual_seed(config.seed)
    vocabulary = prepared.pipeline.vocabulary
    with terminal.bar() as progress:
        embedding = build(
            config.embedding,
            vocabulary=vocabulary,
            cache_dir=_cache_dir(config),
            seed=config.seed,
            progress=progress,
        )
    coverage = getattr(embedding, "coverage", None)
    if coverage is not None:
        share = coverage.of_text(prepared.corpora["train"].ids)
        log.info("embedding: %s, %.1f %% of the words in the training text", coverage, 100 * share)
    classes = len(prepared.reviews.labels)
    model = build(config.model, embedding=embedding, num_classes=classes, unk_index=vocabulary.unk_index)
    if callable(getattr(model, "solve", None)):
        log.info("model: solved at once, not trained in epochs")
    else:
        log.info("model: %s parameters", f"{_parameters(model):,}")
    return model


def _parameters(model: nn.Module) -> int:
    """Count the parameters; a model that is solved keeps its own as buffers."""
    solved = callable(getattr(model, "solve", None))
    values = [tensor for tensor in model.buffers() if tensor.is_floating_point()] if solved else model.parameters()
    return sum(tensor.numel() for tensor in values)


def show_shapes(config: Config) -> str:
    """Return the way of one training batch through the model as a table, layer by layer."""
    prepared = prepare(config)
    model = build_model(config, prepared)
    train, vocabulary = prepared.corpora["train"], prepared.pipeline.vocabulary
    rows = torch.arange(min(config.trainer.batch_size or 64, len(train)))
    batch = next(iter(Batches(train).of([rows])))
    tokens = [vocabulary.itos[id] for id in batch.ids[0, : int(batch.lengths[0])].tolist()]
    return shapes.describe(model, batch.ids, batch.lengths, tokens)


def _cache_dir(config: Config) -> Path:
    return Path(config.cache_dir).expanduser()


def _recorded(config: Config) -> dict[str, Any]:
    """Return what is recorded: all but `sweep`, which says how the run came about, not what it is."""
    return {section: value for section, value in plain(config).items() if section != "sweep"}


def _fit(model: nn.Module, prepared: Prepared, recipe: Recipe, record: Run, tell: EpochCallback | None) -> FitResult:
    def on_epoch(metrics: dict[str, float], epoch: int) -> None:
        record.log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step=epoch)
        if tell is not None:
            tell(metrics, epoch)

    return fit(
        model,
        prepared.corpora["train"],
        prepared.corpora["valid"],
        recipe,
        on_epoch=on_epoch,
        progress=TrainingProgress(log.info, terminal.console()) if rank() == 0 else None,
    )


def _predict_test(model: nn.Module, prepared: Prepared, recipe: Recipe) -> evaluation.Predictions:
    """Predict the test split: once, by the weights that validation chose."""
    corpus = prepared.corpora["test"]
    planned = None if recipe.trainer.bucket else recipe.plan(corpus, epoch=0)  # padded as the validation reviews were
    return evaluation.predict(model, corpus, planned=planned, machine=recipe.machine)


def _positive(config: Config, labels: Sequence[str]) -> int:
    """Return the class that evaluation.positive names."""
    name = config.evaluation.positive
    given = None if name is None else name_of(name)
    if given is None:
        return len(labels) - 1
    if len(labels) > 2:
        raise SentexpError(f"evaluation.positive={name}: expected null, since there are {len(labels)} labels")
    if given not in labels and given.lower() in ("true", "false"):  # YAML's words for a label that is a truth value
        given = given.lower()
    if given not in labels:
        known = ", ".join(labels)
        raise SentexpError(f"evaluation.positive={name}: not one of {known}{did_you_mean(given, labels)}")
    return labels.index(given)


def _of_each_label(predictions: evaluation.Predictions, labels: Sequence[str]) -> dict[str, float]:
    """Return F1, precision and recall of each label, by names such as test/f1/negative.

    A label that MLflow would not tell from another one by its name has its number.
    """
    plain = [re.sub(r"[^\w .-]", "_", label)[:100] for label in labels]
    shown = [name if plain.count(name) == 1 else f"{name} {number}" for number, name in enumerate(plain)]
    table = evaluation.by_class(predictions.answers.numpy(), predictions.labels.numpy(), len(labels))
    return {
        f"test/{metric}/{name}": float(table[row, column])
        for row, name in enumerate(shown)
        for column, metric in enumerate(evaluation.OF_CLASS)
    }


def _test_metrics(
    config: Config, predictions: evaluation.Predictions, labels: Sequence[str], positive: int
) -> dict[str, float]:
    further = {name: import_object(path) for name, path in config.evaluation.metrics.items()}
    metrics, notes = evaluation.metrics(predictions, further, positive=positive, names=labels)
    for note in notes:
        log.warning("test: %s", note)
    return {f"test/{name}": value for name, value in metrics.items()}


def _baselines(prepared: Prepared, recipe: Recipe) -> Baselines:
    return judge_baselines(
        prepared.corpora["train"],
        prepared.corpora["test"],
        num_classes=len(prepared.reviews.labels),
        vocabulary_size=len(prepared.pipeline.vocabulary),
        machine=recipe.machine,
    )


@contextmanager
def _kept(model_folder: Path) -> Iterator[None]:
    """Say where the trained model is if the block fails: a store that is not reachable must not cost it."""
    try:
        yield
    except SentexpError as error:
        error.args = (f"{error}; the trained model is in {model_folder}",)
        raise
    except Exception:
        log.warning("the trained model is in %s", model_folder)
        raise


def _best(fitted: FitResult) -> dict[str, float]:
    best = {"best/valid_accuracy": fitted.best_accuracy, "best/valid_loss": fitted.best_loss}
    return {**best, "best/epoch": fitted.best_epoch}


def _report_data(reviews: Reviews) -> None:
    sizes = ", ".join(f"{len(rows):,} {split}" for split, rows in reviews.splits.items())
    log.info("data: %s: %s reviews; labels %s", reviews.source, sizes, ", ".join(reviews.labels))
    for reason, count in reviews.skipped.items():
        log.warning("data: %s skipped: %s", f"{count:,}", reason)
    few = evaluation.few_reviews(np.array(reviews.splits["test"]["label"][:]), reviews.labels)
    for note in [*reviews.notes, *(f"test: {note}" for note in few)]:
        log.warning("data: %s", note)


def _check_script(reviews: Reviews, tokenizer: Tokenizer) -> None:
    """Say if the texts are of a language that the tokenizer is not for; a tokenizer of the user's own knows better."""
    if splits_at_spaces(tokenizer):
        language = None
    elif isinstance(tokenizer, SpacyTokenizer):
        language = tokenizer.language
    else:
        return
    train = reviews.splits["train"]
    note = foreign_script(train[: min(len(train), LOOKED_AT)]["text"], language)
    if note is not None:
        log.warning("text: %s", note)


def _record_data(record: Run, prepared: Prepared, model: nn.Module, name: str) -> None:
    reviews = prepared.reviews
    for split, rows in reviews.splits.items():
        record.log_dataset(name, split, reviews.digests[split], reviews.source, len(rows))
    record.set_tags({"labels": reviews.labels, "skipped": reviews.skipped, "report": prepared.pipeline.report})
    for part in model.modules():
        coverage = getattr(part, "coverage", None)
        if coverage is not None:  # the embedding's: words of the vocabulary that have a pretrained vector
            share = coverage.of_text(prepared.corpora["train"].ids)
            record.set_tags({"coverage": {"found": coverage.found, "wanted": coverage.wanted}})
            record.log_metrics({"coverage/words": coverage.share, "coverage/running_words": share})


def _record_machine(record: Run, machine: Machine) -> None:
    for what, reason in machine.reasons.items():
        log.info("%s: %s", what, reason)
    record.set_tags({"chosen": machine.reasons})


def _write_reports(
    folder: Path,
    prepared: Prepared,
    fitted: FitResult,
    predictions: evaluation.Predictions,
    positive: int,
    with_texts: bool,
) -> None:
    from sentexp.report.run.folder import write_reports  # matplotlib, which no step of the training waits for

    write_reports(
        folder,
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        probabilities=predictions.probabilities,
        labels=predictions.labels,
        lengths=prepared.corpora["test"].lengths,
        texts=prepared.reviews.splits["test"]["text"],
        names=prepared.reviews.labels,
        positive=positive,
        places=_places(prepared.reviews),
        with_texts=with_texts,
    )


def _places(reviews: Reviews) -> list[str] | None:
    """Return where each test review stands in its source, if the source says so."""
    place = reviews.places.get("test")
    return [place(row) for row in range(len(reviews.splits["test"]))] if place is not None else None


def _print_summary(
    metrics: Mapping[str, float],
    fitted: FitResult,
    location: Location | None,
    output_dir: Path,
    f1_of: str,
    baselines: Baselines | None,
) -> None:
    shown = [*SHOWN, *(name for name in metrics if name.startswith("test/") and name not in METRICS)]
    log.info("")
    log.info("best epoch %d, validation accuracy %.4f", fitted.best_epoch, fitted.best_accuracy)
    values = {name: f"{name.replace('/', ' ')} {metrics[name]:.4f}" for name in shown if name in metrics}
    values["test/f1"] += f" ({f1_of})"
    log.info("  ".join(values.values()))
    if baselines is not None:
        log.info(baselines.compared(metrics["test/accuracy"]))
    log.info("model and reports: %s", output_dir)
    if location is not None:
        log.info("run %s of experiment %s: %s", location.run_name, location.experiment, location.uri)
        for line in location.lines():
            log.info(line)
