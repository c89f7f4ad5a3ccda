"""Predict a corpus with a trained model, and score the predictions."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from sentexp.batches import Batch, Batches, evaluation_plan
from sentexp.errors import one_line
from sentexp.machine.choose import Machine, choose_machine, limited_threads
from sentexp.machine.heap import keep_heap
from sentexp.machine.torchrun import under_torchrun
from sentexp.terminal import ProgressCallback
from sentexp.text.corpus import Corpus
from sentexp.training.losses import loss_sum, probabilities

# Shapes: N reviews in the corpus, B reviews in a batch, T tokens in the longest of them, C classes

log = logging.getLogger(__name__)

Metric = Callable[[np.ndarray, np.ndarray], float]
"""A further metric: called with the labels int64 [N] and the probabilities float64 [N, C], as scikit-learn's are."""


@dataclass(frozen=True)
class Predictions:
    """Predictions for N reviews, in the order of their corpus."""

    probabilities: Tensor
    """float32 [N, C] on the CPU; each row sums to 1."""
    labels: Tensor
    """int64 [N] as the corpus has them; -1 is unknown."""
    loss: float | None
    """Mean cross-entropy in nats; None without labels or without reviews."""

    @property
    def answers(self) -> Tensor:
        """The likeliest class of each review, int64 [N]; a tie goes to the first class."""
        return self.probabilities.argmax(1)


def evaluate(model: nn.Module, corpus: Corpus, machine: Machine | None = None) -> dict[str, float]:
    """Return the metrics of `model` on a labelled corpus: loss, accuracy, f1, roc_auc and others, see `metrics`.

    `machine` must be where the model is; None is the model's device, in the precision that suits it. A metric that
    cannot be computed is left out, and the log says why.

    >>> from sentexp import build_model, compose, evaluate, prepare
    >>> config = compose("data.size=200")
    >>> prepared = prepare(config)
    >>> model = build_model(config, prepared)
    >>> list(evaluate(model, prepared.corpora["test"]))  # doctest: +NORMALIZE_WHITESPACE
    ['loss', 'accuracy', 'f1', 'precision', 'recall', 'f1_macro', 'precision_macro', 'recall_macro', 'f1_weighted',
     'precision_weighted', 'recall_weighted', 'roc_auc']
    """
    if machine is None:
        machine = choose_machine(device=str(device_of(model)))
    found, notes = metrics(predict(model, corpus, machine=machine))
    for note in notes:
        log.warning(note)
    return found


def device_of(model: nn.Module) -> torch.device:
    """Return where the model's parameters are, or its buffers; the CPU if it has neither."""
    return next((tensor.device for tensor in chain(model.parameters(), model.buffers())), torch.device("cpu"))


def predict(
    model: nn.Module,
    corpus: Corpus,
    *,
    machine: Machine,
    planned: list[Tensor] | None = None,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> Predictions:
    """Run `model`, which must be on `machine.device`, over all reviews of the corpus, without dropout.

    `planned` holds the row numbers of each batch; by default reviews of similar length go together.

    On a CPU `workers` batches are computed at a time, each with `machine.threads` threads; None takes as many as the
    training has processes. The result does not depend on it. `progress` is called after each batch.
    """
    if workers is None:
        workers = 1 if under_torchrun() else machine.processes
    if machine.device.type == "cpu":
        keep_heap()
    if planned is None:
        planned = evaluation_plan(corpus, device=machine.device)
    known = len(corpus) > 0 and bool((corpus.labels >= 0).all())
    found: Tensor | None = None
    loss = torch.zeros((), dtype=torch.float64, device=machine.device)
    done = 0

    def run(batch: Batch) -> tuple[Tensor, Tensor | None]:
        with torch.inference_mode(), machine.autocast():  # both hold for this thread alone
            logits = model(batch.ids, batch.lengths)  # [B] or [B, C]
            return probabilities(logits), loss_sum(logits, batch.labels) if known else None

    with _evaluating(model), limited_threads(machine.threads):
        results = _in_order(run, Batches(corpus, device=machine.device).of(planned), workers, machine)
        for rows, (of_batch, batch_loss) in zip(planned, results, strict=True):
            if found is None:
                found = torch.empty(len(corpus), of_batch.shape[1])
            found[rows] = of_batch.to("cpu")
            if batch_loss is not None:
                loss += batch_loss
            done += len(rows)
            if progress is not None:
                progress(done, len(corpus), "predicting")
        if found is None:
            found = torch.empty(0, run(_padding(corpus, machine.device))[0].shape[1])
    return Predictions(found, corpus.labels.clone(), float(loss) / len(corpus) if known else None)


def _padding(corpus: Corpus, device: torch.device) -> Batch:
    """Return a batch of one review of padding alone: the logits for it tell C where the corpus has no review."""
    ids = torch.full((1, corpus.width or 1), corpus.pad_index, device=device)
    one = torch.ones(1, dtype=torch.long, device=device)
    return Batch(ids, lengths=one, labels=one)


def _in_order(
    run: Callable[[Batch], tuple[Tensor, Tensor | None]],
    batches: Iterator[Batch],
    workers: int,
    machine: Machine,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield `run` of each batch, in order, with `workers` of them running and no more of them in memory."""
    if workers == 1 or machine.device.type != "cpu":
        yield from map(run, batches)
        return
    # why threads: without gradients and dropout nothing shared changes, and torch releases Python's lock
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(machine.threads,)) as pool:
        running = []
        for batch in batches:
            running.append(pool.submit(run, batch))
            if len(running) > workers:
                yield running.pop(0).result()
        for future in running:
            yield future.result()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():  # one by one: a part may be kept in evaluation mode on purpose
            module.training = training


def metrics(
    predictions: Predictions,
    further: Mapping[str, Metric] | None = None,
    *,
    positive: int = 1,
    names: Sequence[str] | None = None,
) -> tuple[dict[str, float], list[str]]:
    """Return the metrics of labelled predictions, and a note for each one that could not be computed.

    - loss: mean cross-entropy in nats
    - accuracy: correct over total
    - f1, precision, recall: for two classes those of the class `positive`, for more the macro ones; a class that
      neither occurs nor is predicted counts as 0
    - f1_macro and so on: the unweighted mean over classes; f1_weighted and so on: weighted by their reviews
    - roc_auc: for more than two classes the unweighted mean of one class against the rest; needs reviews of every class
    - `further`: each by its name, called with the labels int64 [N] and the probabilities float64 [N, C], for example
      `{"log_loss": sklearn.metrics.log_loss}`; one that raises or gives no finite number is a note

    Notes call the classes by `names`, or by their numbers.
    """
    if predictions.loss is None:
        return {}, ["no metrics: there is no labelled review"]
    labels, answers = predictions.labels.numpy(), predictions.answers.numpy()
    exact = predictions.probabilities.double().numpy()
    scores = exact / exact.sum(1, keepdims=True)  # float32 sums to 1 less closely than scikit-learn wants
    found = {
        "loss": predictions.loss,
        "accuracy": int((answers == labels).sum()) / len(labels),
    }
    table = by_class(answers, labels, classes=scores.shape[1])
    averages = {"macro": table.mean(0), "weighted": np.average(table, axis=0, weights=table[:, SUPPORT])}
    chosen = table[positive] if len(table) == 2 else averages["macro"]
    found |= {name: float(chosen[column]) for column, name in enumerate(OF_CLASS)}
    for average, row in averages.items():
        found |= {f"{name}_{average}": float(row[column]) for column, name in enumerate(OF_CLASS)}
    notes = []
    absent = sorted(set(range(scores.shape[1])) - set(labels.tolist()))
    if absent:
        notes.append(f"no roc_auc: no review has label {', '.join(names[i] if names else str(i) for i in absent)}")
    else:
        found["roc_auc"] = _roc_auc(labels, exact if exact.shape[1] == 2 else scores)
    for name, metric in (further or {}).items():
        try:
            value = float(metric(labels, scores))
        except Exception as error:  # whatever a metric that is not ours raises
            notes.append(f"no {name}: {one_line(error)}")
            continue
        if math.isfinite(value):
            found[name] = value
        else:
            notes.append(f"no {name}: it is {value}")
    return found, notes


OF_CLASS = ("f1", "precision", "recall")
"""The first columns of `by_class`."""
SUPPORT = 3
"""The last column of `by_class`."""


def by_class(answers: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return F1, precision, recall and the number of reviews of each class, float64 [C, 4].

    Takes predicted and true classes, int64 [N]. What would be 0 divided by 0 is 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        labels, answers, labels=range(classes), zero_division=0
    )
    return np.stack([f1, precision, recall, support], axis=1)


def of_each_label(predictions: Predictions, labels: Sequence[str]) -> dict[str, float]:
    """Return F1, precision and recall of each label, by names such as f1/negative.

    A label that MLflow would not tell from another one by its name has its number.
    """
    plain = [re.sub(r"[^\w .-]", "_", label)[:100] for label in labels]
    shown = [name if plain.count(name) == 1 else f"{name} {number}" for number, name in enumerate(plain)]
    table = by_class(predictions.answers.numpy(), predictions.labels.numpy(), len(labels))
    return {
        f"{metric}/{name}": float(table[row, column])
        for row, name in enumerate(shown)
        for column, metric in enumerate(OF_CLASS)
    }


def _roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    if scores.shape[1] == 2:
        return float(roc_auc_score(labels, scores[:, 1]))
    return float(roc_auc_score(labels, scores, multi_class="ovr", average="macro"))
