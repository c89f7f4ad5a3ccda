"""Labelled reviews for a trained model, and what it predicts for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import torch
from torch import nn

from sentexp import evaluation, messages, statistics, terminal
from sentexp.batches import plan
from sentexp.books import CLASSIFIER, Books, Overlap, Texts
from sentexp.config import plain
from sentexp.data.labels import shortened
from sentexp.data.parts import digest
from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.instantiate import build
from sentexp.machine.choose import Machine, choose_machine
from sentexp.machine.cores import available_cores
from sentexp.schema import Config
from sentexp.text.corpus import Corpus
from sentexp.trained_ensemble import Ensemble, Predictor, mixture, most_known
from sentexp.trained_model import TrainedModel, as_texts
from sentexp.use.recorded_config import composed_over

# Shapes: N reviews of a split, C classes

JUDGED = ("valid", "test")
"""Splits that a model is judged by: on the first what is chosen afterwards, on the second all that is reported."""


@dataclass(frozen=True)
class Judged:
    """What a model says of one split."""

    lengths: torch.Tensor
    """Tokens of each review, as the model's own pipeline has encoded it, int64 [N]."""
    known_words: torch.Tensor
    """Share of each review's words that the model's vocabulary has, float32 [N]."""
    predictions: evaluation.Predictions
    """The labels are numbers of the model's classes."""


@dataclass(frozen=True)
class SeenBefore:
    """What a model has seen of the test reviews before."""

    notes: list[str]
    """What makes its metrics say too much, one line each."""
    overlap: Overlap | None = None
    """The test reviews that it has seen beside its training reviews; None where nothing is known."""


def load_reviews(config: Config, kept: Sequence[str] = JUDGED) -> Reviews:
    """Load the reviews of the section data, keep those of the splits `kept` that are there, and say how many."""
    cache_dir = Path(config.cache_dir).expanduser()
    reviews: Reviews = build(config.data, cache_dir=cache_dir)
    messages.about_data(reviews)
    return part_of(reviews, kept)


def part_of(reviews: Reviews, kept: Sequence[str] = JUDGED) -> Reviews:
    """Return the reviews of those splits `kept` that are there."""
    splits = {split: reviews.splits[split] for split in kept if split in reviews.splits}
    return dataclasses.replace(reviews, splits=datasets.DatasetDict(splits))


def reviews_in_hand(table: pd.DataFrame, labels: Sequence[str]) -> Reviews:
    """Return the rows of a table with the columns text and label as test reviews; `labels` are the model's.

    A missing text is an empty one. Raises SentexpError for a missing column, a value that is no text, and a label that
    the model does not have.
    """
    missing = [column for column in ("text", "label") if column not in table]
    if missing:
        raise SentexpError(f"the table has no column {' and no '.join(missing)}; expected text and label")
    if not len(table):
        raise SentexpError("the table has no rows")
    names = list(map(str, table["label"]))
    for row, name in zip(table.index, names, strict=True):
        if name not in labels:
            raise SentexpError(f"row {row}: label {name}; the model has {shortened(labels)}")
    rows = datasets.Dataset.from_dict(
        {"text": as_texts(table["text"], table.index), "label": [list(labels).index(name) for name in names]},
        features=datasets.Features({"text": datasets.Value("string"), "label": datasets.Value("int64")}),
    )
    numbers = np.array(rows["label"])
    found = digest(rows.data.column("text").chunks, numbers)
    return Reviews(datasets.DatasetDict({"test": rows}), list(labels), {"test": found}, "a table")


def judge(trained: Predictor, reviews: Reviews, config: Config) -> dict[str, Judged]:
    """Predict all splits of `reviews` with the model's own pipeline, where `config` says; return the results by split.

    Labels are matched by name. Afterwards the model is back on its own device. Raises SentexpError for a label that the
    model does not have, and for a device that is not there.
    """
    if isinstance(trained, Ensemble):
        return mixed([judge(member.model, reviews, config) for member in trained.members], trained.weights)
    table = _numbers_of_classes(reviews, trained.labels)
    machine = choose_machine(device=config.trainer.device, precision=config.trainer.precision)
    cores = available_cores()[0]
    judged = {}
    with terminal.bar() as progress, _moved(trained.model, machine.device) as model:
        cache_dir = Path(config.cache_dir).expanduser()
        corpora = trained.pipeline.prepare(reviews, cache_dir, processes=cores, progress=progress)
        for split, corpus in corpora.items():
            labelled = Corpus(corpus.ids, corpus.offsets, table[corpus.labels], corpus.pad_index, corpus.width)
            planned = _planned(labelled, trained)
            found = evaluation.predict(
                model, labelled, machine=machine, planned=planned, workers=_workers(machine, cores), progress=progress
            )
            judged[split] = Judged(labelled.lengths, trained.known_words(labelled), found)
    return judged


def mixed(members: Sequence[Mapping[str, Judged]], weights: Sequence[float]) -> dict[str, Judged]:
    """Return what an ensemble says of the splits of which its members say `members`; lengths are the first one's."""
    return {split: _mixed([member[split] for member in members], weights) for split in members[0]}


def _mixed(parts: Sequence[Judged], weights: Sequence[float]) -> Judged:
    probabilities = mixture([part.predictions.probabilities for part in parts], weights)
    labels = parts[0].predictions.labels
    loss = statistics.cross_entropy(probabilities.double().numpy(), labels.numpy())
    known_words = most_known([part.known_words for part in parts])
    return Judged(parts[0].lengths, known_words, evaluation.Predictions(probabilities, labels, loss))


@contextmanager
def _moved(model: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """Move a model to a device, and back to its own after the block."""
    own = evaluation.device_of(model)
    try:
        yield model.to(device)
    finally:
        model.to(own)


def seen_before(trained: Predictor, reviews: Reviews, config: Config) -> SeenBefore:
    """Tell how many test reviews the model has seen, by its books.

    `config.data` says where `reviews` come from, or is None for reviews in hand. For a model without books, what it was
    trained on is loaded again, unless it is the same. If that cannot be done, a line says so.
    """
    own = trained.config.get("data")
    # of the same data, training has told of texts that are in both splits; an older run did not have all keys
    asked = {} if config.data is None else plain(config.data)
    same = own is not None and all(key in asked and asked[key] == value for key, value in own.items())
    books = trained.books
    if books is None:
        if own is None or same:
            return SeenBefore([])
        try:
            books = _books_from_data(trained, config)
        except SentexpError as error:
            return SeenBefore([f"whether it was trained on some of these test reviews is not known: {error}"])
    test = Texts.of(reviews, "test")
    notes, overlap = [], books.overlap(test)
    trained_on = 0 if same else books.trained_on(test)
    if trained_on:
        share = f"{trained_on:,} of the {len(test.hashes):,} test reviews"
        notes.append(f"{share} are among those it was trained on: its values say too much")
    if overlap.line:
        notes.append(overlap.line)
    return SeenBefore(notes, overlap)


def _books_from_data(trained: Predictor, config: Config) -> Books:
    """Return the books of a model that was recorded without, from the data of its configuration."""
    data = composed_over(trained.config, trust=trained.trusted).data
    trained_on: Reviews = build(data, cache_dir=Path(config.cache_dir).expanduser())
    return Books().seen_by(CLASSIFIER, Texts.of(trained_on, "train"))


def reordered(
    predictions: evaluation.Predictions, names: Sequence[str], order: Sequence[str]
) -> evaluation.Predictions:
    """Return the same predictions with the classes, called `names` so far, in another order."""
    columns = [list(names).index(name) for name in order]
    numbers = torch.tensor([list(order).index(name) for name in names])
    return evaluation.Predictions(predictions.probabilities[:, columns], numbers[predictions.labels], predictions.loss)


def _numbers_of_classes(reviews: Reviews, labels: Sequence[str]) -> torch.Tensor:
    """Return the model's class for each label number of the reviews, int64 [labels of the reviews]."""
    unknown = [name for name in reviews.labels if name not in labels]
    if unknown:
        raise SentexpError(
            f"{reviews.source}: has the labels {shortened(reviews.labels)}, the model has {shortened(labels)}; "
            "expected data.label_map={LABEL: LABEL OF THE MODEL, ...}"
        )
    return torch.tensor([list(labels).index(name) for name in reviews.labels])


def _planned(corpus: Corpus, trained: TrainedModel) -> list[torch.Tensor] | None:
    """Return the batches in which training would have put the reviews, where the model may see the padding."""
    trainer = trained.config.get("trainer", {})
    if trainer.get("bucket", True):
        return None
    bounds = {"batch_size": trainer["batch_size"], "max_tokens": trainer["max_tokens"]}
    return plan(corpus, **bounds, bucket=False, seed=trained.config["seed"], epoch=0)


def _workers(machine: Machine, cores: int) -> int:
    return cores if machine.device.type == "cpu" else 1
