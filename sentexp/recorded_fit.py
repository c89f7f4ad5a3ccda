"""A training that is recorded as it happens, and goes on in the same record after it was stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from sentexp import messages, terminal
from sentexp.errors import Pruned, TrainingDiverged
from sentexp.machine.torchrun import rank
from sentexp.redact import without_passwords
from sentexp.resume import Stopped
from sentexp.schema import Composition
from sentexp.text.corpus import Corpus
from sentexp.tracking.interface import Run
from sentexp.training import Checkpoints, FitResult, Machine, Recipe, TrainingProgress, fit, read_state
from sentexp.training.checkpoints import Saved

log = logging.getLogger(__name__)

STEP_LOSSES_WAIT = 10_000
"""Milliseconds for which losses of steps may wait, to be recorded together; each call costs a server's answer."""

EpochCallback = Callable[[dict[str, float], int], object]
"""Called with an epoch's entry of the history and the epoch."""


def checkpoint_facts(
    values: Mapping[str, Any],
    composition: Composition,
    *,
    key: str,
    machine: Machine,
    text: Mapping[str, str],
    versions: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a checkpoint says of its run, for `resume` to make the same configuration again and to compare.

    `values` are the configuration's, `key` is the run's own, `text` has the digests of what is learnt from.
    """
    return {
        "config": without_passwords(values),
        "overrides": without_passwords(list(composition.overrides)),
        "config_dir": composition.config_dir,
        "key": key,
        "machine": machine.facts(),
        "text": dict(text),
        "versions": dict(versions),
    }


def fit_recorded(
    model: nn.Module,
    corpora: Mapping[str, Corpus],
    recipe: Recipe,
    record: Run,
    checkpoints: Checkpoints,
    before: Stopped | None,
    on_epoch: EpochCallback | None,
    command: str,
) -> FitResult | None:
    """Train as `fit` does, on the split train and, where they are, valid and unlabelled, and record how it goes.

    Recorded are each epoch and the losses of steps, as they come.

    With `before` the training goes on from its checkpoint; `on_epoch` is told of the epochs before as well, and a store
    that does not have them gets them. Returns None if `on_epoch` raised Pruned. What else stops the training is raised,
    and `command` is said, by which it goes on.
    """
    telling, saved = _Telling(record, on_epoch), None
    try:
        if before is not None:
            saved = read_state(before.checkpoint.state)
            messages.about_going_on(saved, before.output)
            telling.go_on(saved)
            checkpoints.step = saved["step"]
        checkpoints.before = telling.send
        return fit(
            model,
            corpora["train"],
            corpora.get("valid"),
            recipe,
            unlabelled=corpora.get("unlabelled"),
            on_epoch=telling.epoch,
            on_steps=telling.step,
            progress=TrainingProgress(log.info, terminal.console()) if rank() == 0 else None,
            checkpoints=checkpoints,
            saved=saved,
        )
    except Pruned as pruned:
        record.set_tags({"pruned": pruned.epoch})
        log.info("pruned after epoch %d", pruned.epoch)
        checkpoints.end()
        return None
    except TrainingDiverged:
        raise
    except BaseException:
        messages.about_stopping(checkpoints.step, command)
        raise


class _Telling:
    """Tells the record of a run, and then the caller, how the training goes."""

    def __init__(self, record: Run, tell: EpochCallback | None) -> None:
        self._record = record
        self._tell = tell
        self._last_step = self._last_epoch = 0
        self._waiting: list[tuple[int, float, int]] = []  # step, loss, when

    def go_on(self, saved: Saved) -> None:
        """Tell what was told before the training was stopped, and leave out what the store has of what is to come."""
        told = saved["history"][: saved["told"]]
        if self._tell is not None:
            for number, metrics in enumerate(told, 1):
                self._tell(metrics, number)
        # a killed run may have recorded more than its last checkpoint has; what comes once more is the same
        self._last_step = self._record.last_step("train/step_loss")
        self._last_epoch = self._record.last_step("train/loss")
        for metrics in told:  # another store than the first one has none of it
            self._log(metrics)

    def step(self, step: int, loss: float) -> None:
        if step <= self._last_step:
            return
        self._waiting.append((step, loss, int(time.time() * 1000)))
        if self._waiting[-1][2] - self._waiting[0][2] > STEP_LOSSES_WAIT:
            self.send()

    def send(self) -> None:
        """Record the losses that wait."""
        if self._waiting:
            self._record.log_points("train/step_loss", list(self._waiting))
            self._waiting.clear()

    def epoch(self, metrics: dict[str, float], epoch: int) -> None:
        self.send()
        self._log(metrics)
        if self._tell is not None:
            self._tell(metrics, epoch)

    def _log(self, metrics: Mapping[str, float]) -> None:
        if metrics["epoch"] > self._last_epoch:
            values = {name: value for name, value in metrics.items() if name != "epoch"}
            self._record.log_metrics(values, step=int(metrics["epoch"]))
