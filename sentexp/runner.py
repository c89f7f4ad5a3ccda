"""One experiment from its configuration to its recorded result: the table of contents of the program."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sentexp import checkpoint_files, evaluation, messages, scores, terminal
from sentexp.baseline import Baselines, judge_baselines
from sentexp.batches import Batches
from sentexp.books import CLASSIFIER, SELECTION, VECTORS, VOCABULARY, Books, Overlap, Texts
from sentexp.checkpoint_files import held
from sentexp.config import composition_of, plain
from sentexp.data.reviews import Reviews
from sentexp.embedding.cooccurrence import SPLITS as VECTOR_SPLITS
from sentexp.embedding.table import coverage_of
from sentexp.errors import SentexpError
from sentexp.inspection.equal_texts import EqualTexts
from sentexp.inspection.findings import judge_reviews
from sentexp.inspection.inspect import Inspection
from sentexp.inspection.inspect import inspect as inspect_corpora
from sentexp.instantiate import build, build_machine, build_pipeline, build_recipe
from sentexp.lines import printable
from sentexp.machine.children import refuse_second_start
from sentexp.machine.choose import Machine
from sentexp.machine.cores import available_cores
from sentexp.machine.torchrun import rank
from sentexp.model import shapes
from sentexp.model.contract import count_parameters, is_solved
from sentexp.recorded_fit import EpochCallback, checkpoint_facts, fit_recorded
from sentexp.redact import without_passwords
from sentexp.report.notebook import notebook_table
from sentexp.resume import Stopped, resume_command, stopped
from sentexp.schema import Composition, Config, LanguageModelConfig, PpmiSvdConfig
from sentexp.start import Start, start_of
from sentexp.sweep.point import run_name
from sentexp.text.corpus import Corpus
from sentexp.text.pipeline import TextPipeline
from sentexp.tracking import environment
from sentexp.tracking.interface import PARENT_RUN_ID_VARIABLE, Location, Run
from sentexp.tracking.none import NoTracking
from sentexp.trained_model import TrainedModel
from sentexp.training import Checkpoints, FitResult, Recipe, Workload
from sentexp.training.work import Corpora

# Shapes: V tokens in the vocabulary, B reviews in a batch, T tokens in the longest of them, C classes

log = logging.getLogger(__name__)

CHANGED = (
    "the configuration is not as compose returned it, so the overrides and the chosen options are not recorded; "
    'expected each change as an override, such as compose("seed=1")'
)


@dataclass(frozen=True)
class RunResult:
    """The result of a run, and where its parts are."""

    metrics: dict[str, float]
    """test/NAME for each of `evaluation.metrics`, the function and the key; best/valid_accuracy, best/valid_loss,
    best/epoch. Of a language model best/valid_loss, best/valid_perplexity, best/epoch."""
    history: list[dict[str, float]]
    """One entry per epoch; see `FitResult.history`."""
    model_folder: Path
    """Folder that `sentexp.load` takes."""
    location: Location | None
    """Where the run is recorded; None with tracking=none."""
    baselines: Baselines | None = None
    """What the model is compared with; None with evaluation.baseline=false."""
    overlap: Overlap | None = None
    """How many test reviews are among the texts that the model has seen beside its labelled training reviews."""

    @property
    def transductive(self) -> bool:
        """True if the metrics are those of a model that has seen texts of the test reviews."""
        return self.overlap is not None and self.overlap.transductive

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in self._shown().items())
        kind = "transductive; " if self.transductive else ""
        return f"RunResult({kind}{figures}; {printable(str(self.model_folder))})"

    def _repr_html_(self) -> str:
        name = f"Run {self.location.run_name}" if self.location is not None else "Run"
        rows = [(name, f"{value:.4f}") for name, value in self._shown().items()]
        rows += [("best epoch", f"{self.metrics['best/epoch']:.0f} of {len(self.history)}")]
        lines = [self.baselines.compared(self.metrics["test/accuracy"])] if self.baselines is not None else []
        lines += [self.overlap.line] if self.overlap is not None and self.overlap.line else []
        lines += [f"model: {self.model_folder}", *(self.location.lines() if self.location is not None else ())]
        return notebook_table(name, rows, lines)

    def _shown(self) -> dict[str, float]:
        names = (*messages.SHOWN, "best/valid_accuracy", "best/valid_perplexity")
        return {name.replace("/", " "): self.metrics[name] for name in names if name in self.metrics}


@dataclass(frozen=True)
class Prepared:
    """The data of a run, ready for training."""

    reviews: Reviews
    """Splits of (text, label), and the names of the labels."""
    pipeline: TextPipeline
    """What made the corpora, with its vocabulary [V]."""
    corpora: dict[str, Corpus]
    """train, valid, test and, where asked for, unlabelled: token ids int32 [N_tokens], offsets int64 [N + 1], labels
    int64 [N], -1 throughout unlabelled."""
    start: Start | None = None
    """What the model starts with; None for random weights."""


@messages.shown()
def run(
    config: Config,
    *,
    output_dir: Path | None = None,
    name: str | None = None,
    resume: Path | None = None,
    on_start: Callable[[Location | None], None] | None = None,
    on_epoch: EpochCallback | None = None,
) -> RunResult | None:
    """Load, encode, build, fit, test, record: one experiment, as the command line runs it.

    >>> from sentexp import compose, run
    >>> result = run(compose("data.size=200", "trainer.epochs=1", "tracking=none"))
    >>> list(result.metrics)[:4]
    ['test/loss', 'test/accuracy', 'test/f1', 'test/precision']

    Reports and the trained model go to `output_dir`; None makes a folder under outputs/, named by the time. Where no
    logging is set up, as in a notebook, the lines of the run are printed. `name` is that of the run where
    tracking.run_name is null. `on_start` is called with where the run is recorded, `on_epoch` after each epoch; it may
    raise Pruned to stop.

    `resume`, or else trainer.resume, is the output folder of a run that was stopped: its training goes on from its last
    checkpoint, in the same folder, and its record in MLflow too. `on_epoch` is told of the epochs before as well.

    The overrides and the option of each group are recorded as `compose` was given them. Of a configuration that is not
    what `compose` returned, such as one that dataclasses.replace made, only the values are recorded; a line says so.

    Returns None if the run was pruned, and in the further processes of torchrun, which only train along. Raises
    SentexpError for what the user can mend; the recorded run then ends as FAILED.
    """
    refuse_second_start()
    values = _recorded(config)
    resume = resume or (Path(config.trainer.resume) if config.trainer.resume else None)
    before = None if resume is None else stopped(resume, without_passwords(values))
    output_dir = output_dir or resume or Path("outputs", f"{datetime.now():%Y-%m-%d/%H-%M-%S.%f}")
    trainer = config.trainer if before is None else before.trainer(config.trainer)
    build_machine(trainer)  # a device that is not there is refused before anything is loaded
    composition = _composition(config)
    if before is None:
        _refuse_used(output_dir)
        messages.about_defaults(composition.overrides, composition.choices)
    key = uuid.uuid4().hex if before is None else before.facts["key"]
    tracker = build(config.tracking) if rank() == 0 else NoTracking()
    with held(output_dir) if rank() == 0 else nullcontext():
        with tracker.run(
            parent_run_id=os.environ.get(PARENT_RUN_ID_VARIABLE),
            name=name or run_name(composition.overrides, composition.choices),
            key=key,
            folder=output_dir,
            log_file=environment.log_file(output_dir),
        ) as record:
            if on_start is not None:
                on_start(record.location())
            versions = _record_start(record, values, composition, output_dir, before)

            prepared = prepare(config)
            positive = scores.positive_class(config.evaluation.positive, prepared.reviews.labels)
            model = build_model(config, prepared)
            _record_data(record, prepared, model, name=composition.choices.get("data", "data"))
            books, overlap = _books(config, prepared, model)
            _record_books(record, books, overlap)
            machine = build_machine(trainer, _workload(config, prepared, model))
            recipe = build_recipe(config, machine)
            _record_machine(record, machine)
            messages.about_objective(recipe.objective, prepared.reviews)

            text = _digests(prepared)
            if before is not None:
                before.check(text, versions)
            facts = checkpoint_facts(values, composition, key=key, machine=machine, text=text, versions=versions)
            minutes, every = config.trainer.checkpoint_minutes, config.trainer.checkpoint_every
            checkpoints = Checkpoints(output_dir, facts, minutes=minutes, every=every)
            command = resume_command(output_dir, composition.overrides, composition.config_dir)
            fitted = fit_recorded(model, prepared.corpora, recipe, record, checkpoints, before, on_epoch, command)
            if fitted is None or rank() > 0:
                return None

            model_folder = output_dir / "model"
            TrainedModel(prepared.pipeline, model, prepared.reviews.labels, values, books=books).save(model_folder)
            messages.about_training(fitted)
            with _kept(model_folder):
                if isinstance(config.task, LanguageModelConfig):
                    metrics, baselines = _record_language_model(prepared, model, fitted, record, model_folder), None
                else:
                    testing = (config, prepared, model, recipe, fitted, positive, record, output_dir)
                    metrics, baselines = _test(*testing, overlap.line)
            location = record.location()
            messages.about_place(output_dir, location)
        checkpoints.end()
        return RunResult(metrics, fitted.history, model_folder, location, baselines, overlap)


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

    With model.init the vocabulary is that of the run which it names.

    Raises SentexpError for reviews that cannot be read, for a tokenizer that fails, and for a run that does not fit.
    """
    refuse_second_start()
    start = start_of(config)
    reviews: Reviews = build(config.data, cache_dir=_cache_dir(config))
    messages.about_data(reviews)
    pipeline = build_pipeline(config, None if start is None else start.vocabulary)
    messages.about_findings(judge_reviews(reviews, EqualTexts.of(reviews.splits), pipeline.tokenizer, config))
    corpora = _encoded(reviews, pipeline, config)
    for line in pipeline.report_lines():
        log.info("text: %s", line)
    if start is not None:
        log.info("model: starts with the words and the weights of %s", start.run.name)
    return Prepared(reviews, pipeline, corpora, start)


def inspect(config: Config) -> Inspection:
    """Load and encode the reviews as `prepare` does, but uncut, and return what they are like and what looks wrong.

    >>> from sentexp import compose
    >>> from sentexp.runner import inspect
    >>> inspection = inspect(compose("data.size=2000"))
    >>> inspection.splits["train"].counts.tolist(), inspection.findings
    ([720, 720], [])

    Raises SentexpError as `prepare` does.
    """
    reviews: Reviews = build(config.data, cache_dir=_cache_dir(config))
    uncut = dataclasses.replace(config.text, max_length=None, fix_length=None)
    start = start_of(config)
    pipeline = build_pipeline(dataclasses.replace(config, text=uncut), None if start is None else start.vocabulary)
    return inspect_corpora(reviews, pipeline, _encoded(reviews, pipeline, config), config)


def build_model(config: Config, prepared: Prepared) -> nn.Module:
    """Build the embedding and, on top of it, the model, with the first weights that the seed, or model.init, gives.

    The model maps ids [B, T] and lengths [B] to logits: [B] for two classes, [B, C] for more. With task=language_model
    it is a LanguageModel.

    >>> from sentexp import build_model, compose, prepare
    >>> config = compose("data.size=200", "model.hidden_size=32")
    >>> prepared = prepare(config)
    >>> model = build_model(config, prepared)
    >>> corpus = prepared.corpora["test"]
    >>> model(corpus.ids[: corpus.lengths[0]].unsqueeze(0), corpus.lengths[:1]).shape  # the first review
    torch.Size([1])

    Seeds torch. Raises SentexpError for word vectors that cannot be read.
    """
    model: nn.Module = build(config.task).model(_build_classifier(config, prepared))
    if is_solved(model):
        log.info("model: solved at once, not trained in epochs")
    else:
        log.info("model: %s parameters", f"{count_parameters(model):,}")
    return model


def _build_classifier(config: Config, prepared: Prepared) -> nn.Module:
    torch.manual_seed(config.seed)
    vocabulary = prepared.pipeline.vocabulary
    with terminal.bar() as progress:
        embedding = build(
            config.embedding,
            vocabulary=vocabulary,
            corpora=prepared.corpora,
            cache_dir=_cache_dir(config),
            seed=config.seed,
            progress=progress,
        )
    coverage = coverage_of(embedding)
    if coverage is not None:
        share = coverage.of_text(prepared.corpora["train"].ids)
        log.info("embedding: %s, %.1f %% of the words in the training text", coverage, 100 * share)
    classes = len(prepared.reviews.labels)
    model: nn.Module = build(config.model, embedding=embedding, num_classes=classes, unk_index=vocabulary.unk_index)
    if prepared.start is not None:
        prepared.start.give(model)
    return model


def show_shapes(config: Config) -> str:
    """Return the way of one training batch through the classifier as a table, layer by layer."""
    prepared = prepare(config)
    model = _build_classifier(config, prepared)
    train, vocabulary = prepared.corpora["train"], prepared.pipeline.vocabulary
    rows = torch.arange(min(config.trainer.batch_size or 64, len(train)))
    batch = next(iter(Batches(train).of([rows])))
    tokens = [vocabulary.itos[id] for id in batch.ids[0, : int(batch.lengths[0])].tolist()]
    return shapes.describe(model, batch.ids, batch.lengths, tokens)


def _encoded(reviews: Reviews, pipeline: TextPipeline, config: Config) -> dict[str, Corpus]:
    with terminal.bar() as progress:
        return pipeline.prepare(reviews, _cache_dir(config), processes=available_cores()[0], progress=progress)


def _digests(prepared: Prepared) -> dict[str, str]:
    """Return the digest of each thing that the training learns from."""
    called = {"train": "training", "valid": "validation"}
    return {
        **{f"{called.get(split, split)} split": corpus.digest() for split, corpus in prepared.corpora.items()},
        "list of labels": hashlib.sha256(json.dumps(prepared.reviews.labels).encode()).hexdigest(),
        "vocabulary": prepared.pipeline.vocabulary.digest,
        **({} if prepared.start is None else {"run of model.init": prepared.start.digest}),
    }


def _cache_dir(config: Config) -> Path:
    return Path(config.cache_dir).expanduser()


def _recorded(config: Config) -> dict[str, Any]:
    """Return what is recorded: all but `sweep`, which says how the run came about, not what it is."""
    return {section: value for section, value in plain(config).items() if section != "sweep"}


def _composition(config: Config) -> Composition:
    """Return how the configuration was composed; where that is not known, say so and return that nothing was chosen."""
    composition = composition_of(config)
    if composition is None:
        log.warning(CHANGED)
    return composition or Composition((), {}, {})


def _refuse_used(output_dir: Path) -> None:
    if checkpoint_files.there(output_dir):
        raise SentexpError(
            f"{output_dir}: holds checkpoints of a run that was stopped; expected trainer.resume={output_dir}, or "
            "another folder"
        )


def _record_start(
    record: Run, values: dict[str, Any], composition: Composition, output_dir: Path, before: Stopped | None
) -> dict[str, Any]:
    """Record how the run was asked for, and with what it is made. Returns the versions of the libraries."""
    if before is not None:
        record.set_tags({"resumed": {"from": before.checkpoint.state.stem, "changed": before.changed}})
    if before is None or not record.goes_on():
        record.log_config(values, composition.overrides, composition.choices)
    record.set_tags({"output": str(output_dir.absolute())})
    described = environment.describe()
    record.log_environment(described)
    return described["versions"]


def _test(
    config: Config,
    prepared: Prepared,
    model: nn.Module,
    recipe: Recipe,
    fitted: FitResult,
    positive: int,
    record: Run,
    output_dir: Path,
    note: str,
) -> tuple[dict[str, float], Baselines | None]:
    """Judge the model on the test split, compare it, and record both with the reports, `note` and the model."""
    labels = prepared.reviews.labels
    predictions = _predict_test(model, prepared, recipe)
    metrics = {**scores.test_metrics(config, predictions, labels, positive), **_best(fitted)}
    whose_f1 = scores.f1_of(labels, positive)
    messages.about_test(metrics, whose_f1)
    further = {f"test/{name}": value for name, value in evaluation.of_each_label(predictions, labels).items()}
    baselines = None
    if config.evaluation.baseline:
        baselines = _baselines(prepared, recipe)
        log.info(baselines.compared(metrics["test/accuracy"]))
        further |= {"baseline/majority": baselines.majority, "baseline/linear": baselines.linear}
    # the sizes last: MLflow's comparison opens on the metric that was recorded first
    further |= _sizes(prepared, model)
    with terminal.status("writing reports"):
        _write_reports(output_dir / "reports", prepared, fitted, predictions, positive, config.evaluation.texts, note)
        record.log_model(output_dir / "model")  # first, so that the figures are linked to it
        record.log_metrics({**metrics, **further})
        record.log_folder(output_dir / "reports", "reports")
        described = messages.described(metrics, fitted, whose_f1, baselines, prepared.reviews, further)
        record.describe("\n\n".join([described, *([note] if note else [])]))
    return metrics, baselines


def _record_language_model(
    prepared: Prepared, model: nn.Module, fitted: FitResult, record: Run, model_folder: Path
) -> dict[str, float]:
    """Record the model, and how well it predicts the validation texts; the test split is left alone."""
    metrics = _best(fitted)
    sizes = _sizes(prepared, model)
    record.log_model(model_folder)
    record.log_metrics({**metrics, **sizes})
    record.describe(messages.described_language_model(fitted, prepared.reviews, sizes))
    return metrics


def _sizes(prepared: Prepared, model: nn.Module) -> dict[str, float]:
    return {"model/parameters": count_parameters(model), "model/vocabulary": len(prepared.pipeline.vocabulary)}


def _predict_test(model: nn.Module, prepared: Prepared, recipe: Recipe) -> evaluation.Predictions:
    """Predict the test split: once, by the weights that validation chose."""
    corpus = prepared.corpora["test"]
    planned = None if recipe.trainer.bucket else recipe.plan(corpus, epoch=0)  # padded as the validation reviews were
    return evaluation.predict(model, corpus, planned=planned, machine=recipe.machine)


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
    best = {
        "best/valid_accuracy": fitted.best_accuracy,
        "best/valid_loss": fitted.best_loss,
        "best/valid_perplexity": fitted.history[fitted.best_epoch - 1].get("valid/perplexity"),
    }
    return {name: value for name, value in best.items() if value is not None} | {"best/epoch": fitted.best_epoch}


def _record_data(record: Run, prepared: Prepared, model: nn.Module, name: str) -> None:
    reviews = prepared.reviews
    for split, rows in reviews.splits.items():
        record.log_dataset(name, split, reviews.digests[split], reviews.source, len(rows))
    if prepared.start is not None:
        record.set_tags({"init": prepared.start.facts()})
    left_out = {**reviews.skipped, **reviews.dropped}
    record.set_tags({"labels": reviews.labels, "skipped": left_out, "report": prepared.pipeline.report})
    for part in model.modules():
        coverage = coverage_of(part)
        if coverage is not None:
            share = coverage.of_text(prepared.corpora["train"].ids)
            record.set_tags({"coverage": {"found": coverage.found, "wanted": coverage.wanted}})
            record.log_metrics({"coverage/words": coverage.share, "coverage/running_words": share})


def _books(config: Config, prepared: Prepared, model: nn.Module) -> tuple[Books, Overlap]:
    """Return which texts the run sees, and how many of the test reviews are among them."""
    texts = {split: Texts.of(prepared.reviews, split) for split in prepared.reviews.splits}
    counted = prepared.pipeline.counted(texts) if prepared.start is None else []
    books = Books().seen_by(VOCABULARY, *(texts[split] for split in counted))
    if any(coverage_of(part) is not None for part in model.modules()):
        vectors = plain(config.embedding)  # what they were made of is not known
        named = Path(vectors["path"]).name if vectors.get("path") else vectors.get("name", "")
        books = books.seen_by(VECTORS, f"{vectors['_target_'].rpartition('.')[2]} {named}".strip())
    if isinstance(config.embedding, PpmiSvdConfig):
        books = books.seen_by(VECTORS, *(texts[split] for split in VECTOR_SPLITS if split in texts))
    if prepared.start is not None:
        books = books.started_from(prepared.start.books)
    reads_unlabelled = isinstance(config.task, LanguageModelConfig) or build(config.objective).reads_unlabelled
    learnt_from = ["train", *(["unlabelled"] if reads_unlabelled else [])]
    books = books.seen_by(CLASSIFIER, *(texts[split] for split in learnt_from if split in texts))
    books = books.seen_by(SELECTION, *(texts[split] for split in ["valid"] if split in texts))
    return books, books.overlap(texts["test"])


def _record_books(record: Run, books: Books, overlap: Overlap) -> None:
    transductive = {"transductive": "true"} if overlap.transductive else {}
    record.set_tags({"seen": books.tag(), "test_seen": overlap.count, **transductive})
    messages.about_overlap(overlap)


def _workload(config: Config, prepared: Prepared, model: nn.Module) -> Workload:
    found = prepared.corpora
    corpora = Corpora(found["train"], found.get("valid"), found.get("unlabelled"))
    workload: Workload = build(config.task).workload(model, corpora, config.trainer)
    return workload


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
    note: str,
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
        places=prepared.reviews.places_of("test"),
        with_texts=with_texts,
        note=note,
    )
