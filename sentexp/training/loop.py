"""`fit`: from a model and two encoded corpora to the weights that do best on the validation reviews."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sentexp.batches import Batches
from sentexp.errors import SentexpError
from sentexp.failures import lacks_memory
from sentexp.machine.choose import limited_threads
from sentexp.machine.denormals import denormals_flushed
from sentexp.machine.heap import keep_heap
from sentexp.machine.signals import Delayed, interrupts_later
from sentexp.model.contract import is_solved
from sentexp.schema import NO_SAMPLING
from sentexp.text.corpus import Corpus
from sentexp.training.checkpoints import Checkpoints, Saved, restore
from sentexp.training.classification import ClassificationTask, judge
from sentexp.training.losses import class_weights
from sentexp.training.processes import Group, PeerLost, device_of, together
from sentexp.training.progress import TrainingProgress
from sentexp.training.recipe import Recipe
from sentexp.training.schedules import build_schedule
from sentexp.training.state import Clock, EpochSums, TrainState
from sentexp.training.step import gradients
from sentexp.training.told import FetchedSums, Told, diverged
from sentexp.training.work import Corpora, Metrics, Stopped, Work

# Shapes: B reviews in a batch, T tokens in the longest of them, C classes

FUSED = {torch.optim.Adam: ("cpu", "cuda"), torch.optim.AdamW: ("cpu", "cuda"), torch.optim.Adagrad: ("cpu",)}
"""Optimizers whose fused kernel pays. With a vocabulary of 25,000 words Adam's is eight times as fast on a CPU."""


@dataclass(frozen=True)
class FitResult:
    history: list[Metrics]
    """One entry per epoch: epoch, train/loss, train/accuracy, valid/loss, valid/accuracy, lr, seconds,
    reviews_per_second, tokens_per_second; of a language model perplexities in place of accuracies."""
    best_epoch: int
    """Epoch of the highest validation accuracy, among equals of the lowest validation loss; counted from 1."""
    best_accuracy: float | None
    """Validation accuracy after the best epoch; None where there are no labels, or no validation split."""
    best_loss: float | None
    """Validation loss after the best epoch; None where there is no validation split."""
    best_state: dict[str, Tensor]
    """The model's state_dict after the best epoch, on the CPU; the model itself holds it as well."""
    stopped_early: bool
    """True if early stopping ended the training before its last epoch."""
    seconds: float
    """Seconds of the whole training."""


def fit(
    model: nn.Module,
    train: Corpus,
    valid: Corpus | None,
    recipe: Recipe,
    *,
    unlabelled: Corpus | None = None,
    on_epoch: Callable[[Metrics, int], object] | None = None,
    on_steps: Callable[[int, float], object] | None = None,
    progress: TrainingProgress | None = None,
    checkpoints: Checkpoints | None = None,
    saved: Saved | None = None,
) -> FitResult:
    """Train `model` in place and leave it with the weights of its best epoch, on `recipe.machine.device`.

    `model(ids [B, T], lengths [B])` gives logits [B] for two classes, [B, C] for more. Best is the epoch of the highest
    validation accuracy, among equals of the lowest loss; training stops `trainer.early_stopping` epochs after it.
    With another `recipe.task` than to tell labels, `model` is what that task makes of a classifier.

    `unlabelled` reviews are read if `recipe.objective` has a term for them, or by a task that needs no labels. With
    trainer.ema the weights that are judged and kept are averages, with trainer.keep=last those of the last epoch.

    Training loss and accuracy are those seen while training: with dropout, and with the smoothed labels. `on_epoch` is
    called with each epoch's entry of the history and the epoch; what it raises ends the training. `on_steps` is called
    every `trainer.log_every` steps with the step and the mean loss of the reviews since the last call.

    A model with a method `solve` is not trained in epochs: it is called once, and the history has one entry.

    With `checkpoints` the state is written from time to time, and at Ctrl-C and SIGTERM, which take effect after the
    step that is under way. `saved`, what `read_state` returns, is where the training goes on: its weights, history and
    further calls of `on_epoch` and `on_steps` are those of one that was never stopped, on the same kind of processor to
    the last bit.

    The order of batches and the dropout depend on seed, epoch and step alone. With more than one process the model, the
    corpora and the recipe are pickled. Raises SentexpError for an empty corpus, TrainingDiverged for a loss that is not
    finite, ProcessDied for a process that fails.

    >>> from sentexp import build_model, build_recipe, compose, fit, prepare
    >>> config = compose("data.size=200", "trainer.epochs=2")
    >>> prepared = prepare(config)
    >>> model = build_model(config, prepared)
    >>> recipe = build_recipe(config)
    >>> result = fit(model, prepared.corpora["train"], prepared.corpora["valid"], recipe)
    >>> [entry["epoch"] for entry in result.history]
    [1, 2]
    """
    for name, corpus in (("train", train), ("valid", valid)):
        if corpus is not None and len(corpus) == 0:
            raise SentexpError(f"data: the {name} split holds no review; expected at least one")
    recipe.objective.check(model)
    if valid is None and not is_solved(model):
        _check_without_validation(recipe)
    if is_solved(model):
        return _solve(model, train, valid, recipe, Told(on_epoch, progress=progress))
    machine = recipe.machine
    corpora = Corpora(train, valid, unlabelled)
    with together(machine.processes, machine.device, _follow, model, corpora, recipe, saved) as group:
        first = group.rank == 0  # torchrun's processes all call fit
        told = Told(on_epoch, on_steps, progress, checkpoints) if first else Told()
        return _fit(group, model, corpora, recipe, saved, told)


def _check_without_validation(recipe: Recipe) -> None:
    """Raise SentexpError for what needs validation reviews."""
    for key, value, way_out in (
        ("trainer.keep", recipe.trainer.keep, "last"),
        ("trainer.early_stopping", recipe.trainer.early_stopping, None),
    ):
        if value != way_out:
            shown = "null" if way_out is None else way_out
            raise SentexpError(f"{key}={value}: there are no validation reviews to choose by; expected {key}={shown}")


def _follow(group: Group, model: nn.Module, corpora: Corpora, recipe: Recipe, saved: Saved | None) -> None:
    """Run the same training in a further process, silently."""
    _fit(group, model, corpora, recipe, saved, Told())


def _fit(
    group: Group, model: nn.Module, corpora: Corpora, recipe: Recipe, saved: Saved | None, told: Told
) -> FitResult:
    epochs = recipe.trainer.epochs
    device = device_of(group.rank, recipe.machine.device)
    on_cpu = device.type == "cpu"
    if on_cpu:
        keep_heap()
    work = (recipe.task or ClassificationTask()).work(model.to(device), corpora, recipe, group, device)
    try:
        with limited_threads(recipe.machine.threads), denormals_flushed() if on_cpu else nullcontext():
            state = _begin(work, recipe, saved)
            if corpora.valid is None and isinstance(state.schedule, ReduceLROnPlateau):
                raise SentexpError("schedule=plateau: there is no validation loss to go by; expected another schedule")
            with _stopped_between_steps(state, told) as interrupts:
                if state.told < len(state.history):
                    told.epoch(state, interrupts)
                while state.sums is not None or (state.epoch < epochs and not _out_of_patience(state, recipe)):
                    _one_epoch(state, work, group, recipe, told, interrupts)
                    told.epoch(state, interrupts)
                    if told.checkpoints is not None:
                        told.checkpoints.after_epoch(state)
    finally:
        if told.progress is not None:
            told.progress.close()
    best = state.best
    assert best is not None
    model.load_state_dict(best.weights)
    return FitResult(
        history=state.history,
        best_epoch=best.epoch,
        best_accuracy=best.accuracy,
        best_loss=best.loss,
        best_state=best.weights,
        stopped_early=state.epoch < epochs,
        seconds=state.clock.spent(),
    )


@contextmanager
def _stopped_between_steps(state: TrainState, told: Told) -> Iterator[Delayed]:
    """Let an interrupt wait until the step under way is done; what ends the training then leaves a checkpoint.

    So does the end of another process: what that step had not yet changed is whole.
    """
    with interrupts_later() as interrupts:
        try:
            yield interrupts
        except (Stopped, PeerLost) as error:
            told.save(state)
            interrupts.deliver()
            if isinstance(error, Stopped):  # a handler of the caller's own has let it pass
                raise KeyboardInterrupt from None
            raise


def _solve(model: nn.Module, train: Corpus, valid: Corpus | None, recipe: Recipe, told: Told) -> FitResult:
    """Let the model find its weights by itself, then judge them."""
    if recipe.trainer.sampling == "balanced":
        raise SentexpError(NO_SAMPLING)
    clock = Clock()
    of_classes = class_weights(recipe.trainer.class_weight, train.labels)
    model.to(recipe.machine.device).solve(train, class_weights=of_classes)  # type: ignore[operator]
    solved = clock.spent()
    group = Group()
    judged: Metrics = {}
    with limited_threads(recipe.machine.threads):
        for split, corpus in {"train": train, "valid": valid}.items():
            if corpus is None:
                continue
            mean, right = judge(model, Batches(corpus, device=recipe.machine.device), group, recipe)
            judged |= {f"{split}/loss": mean, f"{split}/accuracy": right}
    metrics = {
        "epoch": 1,
        **judged,
        "lr": 0.0,
        "seconds": clock.spent(),
        "reviews_per_second": len(train) / solved,
        "tokens_per_second": int(train.lengths.sum()) / solved,
    }
    if told.progress is not None:
        told.progress.end_epoch(1, 1, metrics)
        told.progress.close()
    if told.on_epoch is not None:
        told.on_epoch(metrics, 1)
    weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    accuracy, loss = judged.get("valid/accuracy"), judged.get("valid/loss")
    return FitResult([metrics], 1, accuracy, loss, weights, False, clock.spent())


def _begin(work: Work, recipe: Recipe, saved: Saved | None) -> TrainState:
    model, epochs = work.model, recipe.trainer.epochs
    counts = [work.count(epoch) for epoch in range(1, epochs + 1)]  # with max_tokens they differ
    optimizer = build_optimizer(recipe.optimizer, model, recipe.machine.device, recipe.trainer.layer_decay)
    total, per_epoch = (sum(counts), counts[0]) if recipe.interval == "step" else (epochs, 1)
    schedule = build_schedule(recipe.schedule, optimizer, total_steps=total, steps_per_epoch=per_epoch)
    state = TrainState(model, optimizer, schedule, steps=sum(counts))
    if recipe.trainer.ema is not None:
        state.averages = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    if saved is not None:
        restore(state, saved)
    return state


def build_optimizer(
    factory: Callable[..., Optimizer], model: nn.Module, device: torch.device, layer_decay: float = 1.0
) -> Optimizer:
    """Put all of the model's parameters, those still frozen as well, under one optimizer; a fused one where it pays.

    From the top of the model down, each layer has `layer_decay` times the learning rate of the layer above it. Raises
    SentexpError if it is not 1 and the model does not say its layers.
    """
    kind = factory.func if isinstance(factory, functools.partial) else factory
    given = factory.keywords if isinstance(factory, functools.partial) else {}
    fused = device.type in FUSED.get(kind, ()) and not {"fused", "foreach", "differentiable"} & set(given)  # type: ignore[call-overload]
    more = {"fused": True} if fused else {}
    if layer_decay == 1:
        return factory(list(model.parameters()), **more)
    if not hasattr(model, "layers"):
        raise SentexpError(
            f"trainer.layer_decay={layer_decay:g}: {type(model).__name__} has no method layers to say which parameters "
            "are whose; expected 1, or model=lstm or gru"
        )
    layers: list[list[nn.Parameter]] = model.layers()  # type: ignore[operator]
    optimizer = factory([{"params": layer} for layer in layers if layer], **more)
    for depth, group in enumerate(optimizer.param_groups):
        group["lr"] *= layer_decay**depth
    return optimizer


def _out_of_patience(state: TrainState, recipe: Recipe) -> bool:
    patience = recipe.trainer.early_stopping
    return patience is not None and state.best is not None and state.epoch - state.best.epoch >= patience


def _one_epoch(state: TrainState, work: Work, group: Group, recipe: Recipe, told: Told, interrupts: Delayed) -> None:
    """Train and validate once, or the rest of an epoch under way, and add to the state's history."""
    if state.sums is None:
        state.epoch += 1
        state.sums = EpochSums()
    sums = state.sums
    _train(state, sums, work, group, recipe, told, interrupts)
    trained = sums.clock.spent()
    rate = state.last_rate
    with state.averaged():
        judged = work.judge(interrupts)
        loss, accuracy = judged.get("valid/loss"), judged.get("valid/accuracy")
        if loss is not None and not math.isfinite(loss):
            raise diverged("validation loss", loss, state, recipe)
        state.keep_best(accuracy, loss, last=recipe.trainer.keep == "last")
    if isinstance(state.schedule, ReduceLROnPlateau):
        assert loss is not None
        state.schedule.step(loss)
    elif recipe.interval == "epoch" and state.epoch < recipe.trainer.epochs:
        state.schedule.step()
    metrics = {
        "epoch": state.epoch,
        **work.trained(sums),
        **judged,
        "lr": rate,
        "seconds": sums.clock.spent(),
        **{f"{unit}_per_second": count / trained for unit, count in work.read(sums).items()},
    }
    state.history.append(metrics)
    state.sums = None
    if told.progress is not None:
        told.progress.end_epoch(state.epoch, recipe.trainer.epochs, metrics)


def _train(
    state: TrainState, sums: EpochSums, work: Work, group: Group, recipe: Recipe, told: Told, interrupts: Delayed
) -> None:
    """Take the steps of one epoch, or those that are left of it, and add them to its sums."""
    model, optimizer, trainer = state.model, state.optimizer, recipe.trainer
    model.train()
    if hasattr(model, "embedding") and hasattr(model.embedding, "start_epoch"):
        model.embedding.start_epoch(state.epoch)  # type: ignore[operator]
    if hasattr(model, "start_epoch"):
        model.start_epoch(state.epoch)  # type: ignore[operator]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    fetched = FetchedSums(state, sums, work, recipe, parameters[0].device, told)
    if told.progress is not None:
        left = work.size - sums.size
        told.progress.start_epoch(state.epoch, trainer.epochs, left, work.unit, state.steps - state.step)
    for step in work.steps(state):
        try:
            of_step = gradients(state, parameters, work, step, group, recipe)
        except Exception as error:
            fetched.fetch()  # the state then is whole: that after the step before
            if lacks_memory(error):
                told.save(state)
            raise
        if trainer.clip_norm > 0:
            nn.utils.clip_grad_norm_(parameters, trainer.clip_norm)
        optimizer.step()
        state.last_rate = optimizer.param_groups[0]["lr"]
        state.step += 1
        state.carried = work.carried
        if trainer.ema is not None:
            state.average(trainer.ema)
        if recipe.interval == "step" and state.step < state.steps and not isinstance(state.schedule, ReduceLROnPlateau):
            state.schedule.step()
        fetched.add(of_step, step)
        if interrupts:
            fetched.fetch()
            raise Stopped
        if told.checkpoints is not None and told.checkpoints.due():
            fetched.fetch()
            told.save(state)
    fetched.fetch()
