"""What a trained model says of each review, and how good that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sentexp.batches import Batch, Batches, Encoded, evaluation_plan
from sentexp.machine.choose import Machine, limited_threads
from sentexp.machine.heap import keep_heap
from sentexp.machine.torchrun import under_torchrun
from sentexp.training.objective import loss_sum, probabilities

# Shapes: N reviews in the corpus, B reviews in a batch, T words in the longest of them, C classes


@dataclass(frozen=True)
class Predictions:
    """Of N reviews, in the order of their corpus."""

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


def predict(
    model: nn.Module,
    corpus: Encoded,
    *,
    machine: Machine,
    pad_index: int,
    width: int | None = None,
    num_classes: int = 2,
    planned: list[Tensor] | None = None,
    workers: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Predictions:
    """Runs `model`, which must be on `machine.device`, over all reviews, without dropout.

    `planned` holds the row numbers of each batch; by default reviews of like length go together.
    On a CPU `workers` batches are computed at a time, each with `machine.threads` threads; None takes as
    many as the training has processes. The result does not depend on it. `progress` is called with the
    number of reviews of each finished batch.
    """
    if workers is None:
        workers = 1 if under_torchrun() else machine.processes
    if machine.device.type == "cpu":
        keep_heap()
    if planned is None:
        planned = evaluation_plan(corpus.lengths, device=machine.device, width=width)
    batches = Batches(corpus, pad_index=pad_index, width=width, device=machine.device)
    known = len(corpus.labels) > 0 and bool((corpus.labels >= 0).all())
    found = torch.empty(len(corpus.labels), num_classes)
    loss = torch.zeros((), dtype=torch.float64, device=machine.device)

    def read(batch: Batch) -> tuple[Tensor, Tensor | None]:
        with torch.inference_mode(), machine.autocast():  # both are the thread's own
            logits = model(batch.ids, batch.lengths)  # [B] or [B, C]
            return probabilities(logits), loss_sum(logits, batch.labels) if known else None

    with _evaluating(model), limited_threads(machine.threads):
        results = _in_order(read, batches.of(planned), workers, machine)
        for rows, (found_here, batch_loss) in zip(planned, results, strict=True):
            found[rows] = found_here.to("cpu")
            if batch_loss is not None:
                loss += batch_loss
            if progress is not None:
                progress(len(rows))
    return Predictions(found, corpus.labels.clone(), float(loss) / len(corpus.labels) if known else None)


def _in_order(
    read: Callable[[Batch], tuple[Tensor, Tensor | None]],
    batches: Iterator[Batch],
    workers: int,
    machine: Machine,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """`read` of each batch, `workers` of them at a time and no more of them in memory."""
    if workers == 1 or machine.device.type != "cpu":
        yield from map(read, batches)
        return
    # why threads: without gradients and dropout nothing is shared that changes, and torch lets go of Python's
    # lock
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(machine.threads,)) as pool:
        running = []
        for batch in batches:
            running.append(pool.submit(read, batch))
            if len(running) > workers:
                yield running.pop(0).result()
        for future in running:
            yield future.result()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def metrics(predictions: Predictions) -> tuple[dict[str, float], list[str]]:
    """loss, accuracy, f1 and roc_auc of labelled predictions, and a note on each that could not be computed.

    Accuracy is correct over total. f1 is of class 1 for two classes, the unweighted mean over classes for
    more; a class that is neither there nor predicted counts as 0. roc_auc is the unweighted mean of one class
    against the rest for more than two; it needs reviews of every class.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    labels, answers = predictions.labels.numpy(), predictions.answers.numpy()
    classes = predictions.probabilities.shape[1]
    if predictions.loss is None:
        return {}, ["no metrics: there is no labelled review"]
    found = {
        "loss": predictions.loss,
        "accuracy": int((answers == labels).sum()) / len(labels),
        "f1": float(
            f1_score(labels, answers, average="binary", zero_division=0)
            if classes == 2
            else f1_score(labels, answers, labels=range(classes), average="macro", zero_division=0)
        ),
    }
    absent = sorted(set(range(classes)) - set(labels.tolist()))
    if absent:
        return found, [f"no roc_auc: no review has label {', '.join(map(str, absent))}"]
    scores = predictions.probabilities.double().numpy()
    if classes == 2:
        found["roc_auc"] = float(roc_auc_score(labels, scores[:, 1]))
    else:
        scores = scores / scores.sum(1, keepdims=True)  # float32 sums to 1 less closely than sklearn wants
        found["roc_auc"] = float(roc_auc_score(labels, scores, multi_class="ovr", average="macro"))
    return found, []
