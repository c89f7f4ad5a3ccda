"""Labelled reviews for a trained model, and what it predicts for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import torch

from sentexp import evaluation, messages, terminal
from sentexp.batches import plan
from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.instantiate import build
from sentexp.machine.choose import Machine, choose_machine
from sentexp.machine.cores import available_cores
from sentexp.schema import Config
from sentexp.text.corpus import Corpus
from sentexp.trained_model import TrainedModel

# Shapes: N reviews of a split, C classes

JUDGED = ("valid", "test")
"""Splits that a model is judged by: on the first what is chosen afterwards, on the second all that is reported."""


@dataclass(frozen=True)
class Judged:
    """What a model says of one split."""

    corpus: Corpus
    """As the model's own pipeline has encoded it; the labels are numbers of the model's classes."""
    predictions: evaluation.Predictions


def load_reviews(config: Config) -> Reviews:
    """Load the reviews of the section data, of which valid (if there is one) and test are kept, and say how many."""
    cache_dir = Path(config.cache_dir).expanduser()
    reviews: Reviews = build(config.data, cache_dir=cache_dir)
    messages.about_data(reviews)
    splits = {split: reviews.splits[split] for split in JUDGED if split in reviews.splits}
    return dataclasses.replace(reviews, splits=datasets.DatasetDict(splits))


def judge(trained: TrainedModel, reviews: Reviews, config: Config) -> dict[str, Judged]:
    """Predict all splits of `reviews` with the model's own pipeline, where `config` says; return the results by split.

    Labels are matched by name. Raises SentexpError for a label that the model does not have, and for a device that is
    not there.
    """
    table = _numbers_of_classes(reviews, trained.labels)
    machine = choose_machine(device=config.trainer.device, precision=config.trainer.precision)
    cores = available_cores()[0]
    model = trained.model.to(machine.device)
    judged = {}
    with terminal.bar() as progress:
        cache_dir = Path(config.cache_dir).expanduser()
        corpora = trained.pipeline.prepare(reviews, cache_dir, processes=cores, progress=progress)
        for split, corpus in corpora.items():
            labelled = Corpus(corpus.ids, corpus.offsets, table[corpus.labels], corpus.pad_index, corpus.width)
            planned = _planned(labelled, trained)
            found = evaluation.predict(
                model, labelled, machine=machine, planned=planned, workers=_workers(machine, cores), progress=progress
            )
            judged[split] = Judged(labelled, found)
    return judged


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
            f"{reviews.source}: has the labels {_listed(reviews.labels)}, the model has {_listed(labels)}; "
            "expected data.label_map={LABEL: LABEL OF THE MODEL, ...}"
        )
    return torch.tensor([list(labels).index(name) for name in reviews.labels])


def _listed(labels: Sequence[str], longest: int = 20) -> str:
    return ", ".join(labels[:longest]) + (", ..." if len(labels) > longest else "")


def _planned(corpus: Corpus, trained: TrainedModel) -> list[torch.Tensor] | None:
    """Return the batches in which training would have put the reviews, where the model may see the padding."""
    trainer = trained.config.get("trainer", {})
    if trainer.get("bucket", True):
        return None
    bounds = {"batch_size": trainer["batch_size"], "max_tokens": trainer["max_tokens"]}
    return plan(corpus, **bounds, bucket=False, seed=trained.config["seed"], epoch=0)


def _workers(machine: Machine, cores: int) -> int:
    return cores if machine.device.type == "cpu" else 1
