"""`fit`: from a model and two encoded corpora to the weights that do best on the validation reviews."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from sentexp.batches import Batches, Encoded, evaluation_plan, plan, seed_of
from sentexp.errors import SentexpError, TrainingDiverged
from sentexp.machine.choose import Machine, limited_threads
from sentexp.machine.denormals import denormals_flushed
from sentexp.machine.heap import keep_heap
from sentexp.training.objective import correct, loss_sum
from sentexp.training.processes import Group, device_of, together
from sentexp.training.progress import Progress
from sentexp.training.state import TrainState

# Shapes: B reviews in a batch, T words in the longest of them, C classes

STEPS_PER_READ = {"cpu": 1, "cuda": 50}
"""Reading a number from a GPU waits for all that it has been told to do, so losses are read this seldom."""

FUSED = {torch.optim.Adam: ("cpu", "cuda"), torch.optim.AdamW: ("cpu", "cuda"), torch.optim.Adagrad: ("cpu",)}
"""Optimizers whose fused kernel pays. For a vocabulary of 25,000 words Adam's is eight times as fast on a
CPU."""

Metrics = dict[str, float]
Schedule = LRScheduler | ReduceLROnPlateau


@dataclass(frozen=True)
class FitResult:
    history: list[Metrics]
    """One entry an epoch: epoch, train/loss, train/accuracy, valid/loss, valid/accuracy, lr, seconds,
    reviews_per_second, tokens_per_second."""
    best_epoch: int
    best_accuracy: float
    best_loss: float
    best_state: dict[str, Tensor]
    """The model's state_dict after the best epoch, on the CPU; the model itself holds it as well."""
    stopped_early: bool
    seconds: float


@dataclass(frozen=True)
class _Recipe:
    """What every process of a training must know."""

    optimizer: Callable[..., Optimizer]
    schedule: Callable[..., Schedule]
    machine: Machine
    pad_index: int
    width: int | None
    epochs: int
    batch_size: int | None
    max_tokens: int | None
    bucket: bool
    clip_norm: float
    label_smoothing: float
    early_stopping: int | None
    seed: int

    def plan(self, lengths: Tensor, epoch: int) -> list[Tensor]:
        return plan(
            lengths,
            batch_size=self.batch_size,
            max_tokens=self.max_tokens,
            bucket=self.bucket,
            seed=self.seed,
            epoch=epoch,
            width=self.width,
        )


def fit(
    model: nn.Module,
    train: Encoded,
    valid: Encoded,
    *,
    optimizer: Callable[..., Optimizer],
    schedule: Callable[..., Schedule],
    machine: Machine,
    pad_index: int,
    seed: int,
    epochs: int,
    batch_size: int | None = 64,
    max_tokens: int | None = None,
    bucket: bool = True,
    clip_norm: float = 0.0,
    label_smoothing: float = 0.0,
    early_stopping: int | None = None,
    width: int | None = None,
    on_epoch: Callable[[Metrics, int], object] | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Trains `model` in place and leaves it with the weights of its best epoch, on `machine.device`.

    `model(ids [B, T], lengths [B])` gives logits [B] for two classes, [B, C] for more.
    `optimizer(parameters)` and `schedule(optimizer, steps=, steps_per_epoch=)` build what their names say;
    `optimizer`'s lr is the schedule's peak. The other keywords are the `trainer` keys; `width` is
    text.fix_length. Best is the epoch of the highest validation accuracy, among equals of the lowest loss;
    training stops `early_stopping` epochs after it.

    The training figures are those seen while training: with dropout, and with the smoothed labels. `on_epoch`
    is called with each epoch's entry of the history; what it raises ends the training.

    The order of batches and the dropout depend on `seed`, epoch and step alone. With more than one process
    the model, the corpora and the factories are pickled. Raises TrainingDiverged for a loss that is not
    finite, ProcessDied for a process that fails.
    """
    for name, corpus in (("train", train), ("valid", valid)):
        if len(corpus.labels) == 0:
            raise SentexpError(f"data: the {name} split holds no review; expected at least one")
    recipe = _Recipe(
        optimizer, schedule, machine, pad_index, width, epochs, batch_size, max_tokens, bucket, clip_norm,
        label_smoothing, early_stopping, seed,
    )  # fmt: skip
    with together(machine.processes, machine.device, _follow, model, train, valid, recipe) as group:
        return _fit(group, model, train, valid, recipe, on_epoch, progress)


def _follow(group: Group, model: nn.Module, train: Encoded, valid: Encoded, recipe: _Recipe) -> None:
    """A further process: the same training, without a word."""
    _fit(group, model, train, valid, recipe, None, None)


def _fit(
    group: Group,
    model: nn.Module,
    train: Encoded,
    valid: Encoded,
    recipe: _Recipe,
    on_epoch: Callable[[Metrics, int], object] | None,
    progress: Progress | None,
) -> FitResult:
    began = time.perf_counter()
    device = device_of(group.rank, recipe.machine.device)
    on_cpu = device.type == "cpu"
    if on_cpu:
        keep_heap()
    train_batches = Batches(train, pad_index=recipe.pad_index, width=recipe.width, device=device)
    valid_batches = Batches(valid, pad_index=recipe.pad_index, width=recipe.width, device=device)
    try:
        with limited_threads(recipe.machine.threads), denormals_flushed() if on_cpu else nullcontext():
            state = _begin(model.to(device), train.lengths, recipe)
            while state.epoch < recipe.epochs and not _out_of_patience(state, recipe):
                metrics = _one_epoch(state, train_batches, valid_batches, group, recipe, progress)
                if on_epoch is not None and group.rank == 0:
                    on_epoch(metrics, state.epoch)
    finally:
        if progress is not None:
            progress.close()
    best = state.best
    assert best is not None
    model.load_state_dict(best.weights)
    return FitResult(
        history=state.history,
        best_epoch=best.epoch,
        best_accuracy=best.accuracy,
        best_loss=best.loss,
        best_state=best.weights,
        stopped_early=state.epoch < recipe.epochs,
        seconds=time.perf_counter() - began,
    )


def _begin(model: nn.Module, lengths: Tensor, recipe: _Recipe) -> TrainState:
    counts = [len(recipe.plan(lengths, epoch)) for epoch in range(1, recipe.epochs + 1)]  # max_tokens: not all equal
    optimizer = build_optimizer(recipe.optimizer, model, recipe.machine.device)
    schedule = recipe.schedule(optimizer, steps=sum(counts), steps_per_epoch=counts[0])
    return TrainState(model, optimizer, schedule, steps=sum(counts))


def build_optimizer(factory: Callable[..., Optimizer], model: nn.Module, device: torch.device) -> Optimizer:
    """All the model's parameters under one optimizer, those still frozen as well; by a fused kernel where
    it pays."""
    kind = factory.func if isinstance(factory, functools.partial) else factory
    told = factory.keywords if isinstance(factory, functools.partial) else {}
    fused = device.type in FUSED.get(kind, ()) and not {"fused", "foreach", "differentiable"} & set(told)  # type: ignore[call-overload]
    return factory(list(model.parameters()), **({"fused": True} if fused else {}))


def _out_of_patience(state: TrainState, recipe: _Recipe) -> bool:
    if recipe.early_stopping is None or state.best is None:
        return False
    return state.epoch - state.best.epoch >= recipe.early_stopping


def _one_epoch(
    state: TrainState,
    train: Batches,
    valid: Batches,
    group: Group,
    recipe: _Recipe,
    progress: Progress | None,
) -> Metrics:
    """Trains and validates once; adds to the state's history."""
    began = time.perf_counter()
    state.epoch += 1
    train_loss, train_accuracy = _train(state, train, group, recipe, progress)
    trained = time.perf_counter() - began
    rate = state.last_rate
    valid_loss, valid_accuracy = _validate(state, valid, group, recipe)
    if isinstance(state.schedule, ReduceLROnPlateau):
        state.schedule.step(valid_loss)
    state.keep_best(valid_accuracy, valid_loss)
    metrics = {
        "epoch": state.epoch,
        "train/loss": train_loss,
        "train/accuracy": train_accuracy,
        "valid/loss": valid_loss,
        "valid/accuracy": valid_accuracy,
        "lr": rate,
        "seconds": time.perf_counter() - began,
        "reviews_per_second": len(train) / trained,
        "tokens_per_second": int(train.corpus.lengths.sum()) / trained,
    }
    state.history.append(metrics)
    if progress is not None:
        progress.end_epoch(state.epoch, recipe.epochs, metrics)
    return metrics


def _train(
    state: TrainState, batches: Batches, group: Group, recipe: _Recipe, progress: Progress | None
) -> tuple[float, float]:
    """One epoch's steps. Returns the mean loss and the accuracy over its reviews, as seen on the way."""
    model, optimizer, machine = state.model, state.optimizer, recipe.machine
    model.train()
    if hasattr(model, "embedding") and hasattr(model.embedding, "start_epoch"):
        model.embedding.start_epoch(state.epoch)  # type: ignore[operator]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    planned = recipe.plan(batches.corpus.lengths, state.epoch)
    tally = _Tally(state, recipe, STEPS_PER_READ[batches.device.type], progress)
    if progress is not None:
        progress.start_epoch(state.epoch, recipe.epochs, len(batches), state.steps - state.step)
    for rows, batch in zip(planned, batches.of(planned, rank=group.rank, size=group.size), strict=True):
        _reseed(batches.device, seed_of(recipe.seed, state.epoch, state.step, group.rank))
        optimizer.zero_grad(set_to_none=True)
        figures = torch.zeros(2, device=batches.device)  # loss, correct
        if len(batch.labels):
            with machine.autocast():
                logits = model(batch.ids, batch.lengths)  # [B] or [B, C]
            loss = loss_sum(logits, batch.labels, recipe.label_smoothing)
            (loss / len(rows)).backward()
            figures = torch.stack([loss.detach(), correct(logits, batch.labels).float()])
        figures = group.sum_gradients(parameters, figures)
        if recipe.clip_norm > 0:
            nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        optimizer.step()
        state.last_rate = optimizer.param_groups[0]["lr"]
        state.step += 1
        if not isinstance(state.schedule, ReduceLROnPlateau) and state.step < state.steps:
            state.schedule.step()
        tally.add(figures, len(rows))
    return tally.means()


def _reseed(device: torch.device, seed: int) -> None:
    """Dropout draws from torch's default generators; a seed for each step lets a training go on from any
    step."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def _validate(state: TrainState, batches: Batches, group: Group, recipe: _Recipe) -> tuple[float, float]:
    """Mean loss (labels as they are, not smoothed) and accuracy; the processes share the batches."""
    state.model.eval()
    lengths = batches.corpus.lengths
    if recipe.bucket:
        planned = evaluation_plan(lengths, device=batches.device, width=recipe.width)
    else:  # a model that reads the padding must be judged with as much of it as it was trained with
        planned = recipe.plan(lengths, epoch=0)
    totals = torch.zeros(2, dtype=torch.float64, device=batches.device)  # loss, correct
    with torch.inference_mode():
        for batch in batches.of(planned[group.rank :: group.size]):
            with recipe.machine.autocast():
                logits = state.model(batch.ids, batch.lengths)  # [B] or [B, C]
            totals += torch.stack([loss_sum(logits, batch.labels), correct(logits, batch.labels)])
    group.sum_(totals)
    loss, right = (totals / len(batches)).tolist()
    if not math.isfinite(loss):
        raise _diverged("validation loss", loss, state, recipe)
    return loss, right


class _Tally:
    """Loss and correct answers of an epoch so far, read from the device every few steps."""

    def __init__(self, state: TrainState, recipe: _Recipe, every: int, progress: Progress | None) -> None:
        self._state = state
        self._recipe = recipe
        self._every = every
        self._progress = progress
        self._unread: list[tuple[Tensor, int]] = []
        self._loss = self._right = 0.0
        self._reviews = 0

    def add(self, figures: Tensor, reviews: int) -> None:
        self._unread.append((figures, reviews))
        if len(self._unread) == self._every:
            self._read()

    def means(self) -> tuple[float, float]:
        self._read()
        return self._loss / self._reviews, self._right / self._reviews

    def _read(self) -> None:
        if not self._unread:
            return
        first_step = self._state.step - len(self._unread) + 1
        read = torch.stack([figures for figures, _ in self._unread]).tolist()
        new_reviews = sum(reviews for _, reviews in self._unread)
        self._unread.clear()
        for step, (loss, right) in enumerate(read, start=first_step):
            if not math.isfinite(loss):
                raise _diverged("training loss", loss, self._state, self._recipe, step)
            self._loss += loss
            self._right += right
        self._reviews += new_reviews
        if self._progress is not None:
            self._progress.step(len(read), new_reviews, self._loss / self._reviews, self._right / self._reviews)


def _diverged(what: str, value: float, state: TrainState, recipe: _Recipe, step: int | None = None) -> TrainingDiverged:
    rate = state.optimizer.param_groups[0].get("initial_lr", state.optimizer.defaults["lr"])
    knobs = [f"a lower optimizer.lr (now {rate:g})"]
    if recipe.clip_norm == 0:
        knobs.append("trainer.clip_norm=1 (now 0, no clipping)")
    elif recipe.clip_norm > 1:
        knobs.append(f"a lower trainer.clip_norm (now {recipe.clip_norm:g})")
    if recipe.machine.precision != torch.float32:
        knobs.append("trainer.precision=fp32 (now bf16)")
    where = f"epoch {state.epoch}, step {state.step if step is None else step} of {state.steps}"
    return TrainingDiverged(f"the {what} is {value} at {where}; likely knobs: {', '.join(knobs)}")
