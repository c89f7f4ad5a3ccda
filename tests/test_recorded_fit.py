"""What a training leaves in the record of its run, also where it is stopped and goes on."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sentexp import recorded_fit, runner
from sentexp.config import compose
from sentexp.errors import Pruned
from sentexp.instantiate import build_recipe
from sentexp.resume import Stopped, stopped
from sentexp.schema import Composition
from sentexp.tracking.none import NoRun
from sentexp.training import Checkpoints, FitResult

TINY = ("data.size=100", "trainer.processes=1", "trainer.device=cpu", "model.hidden_size=4", "embedding.dim=4")
TINY += ("trainer.epochs=3", "trainer.batch_size=24", "trainer.max_tokens=null", "trainer.log_every=1")  # 3 steps each


class Store(NoRun):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.calls: list[list[int]] = []
        self.epochs: list[int] = []
        self.tags: dict[str, Any] = {}

    def log_points(self, name: str, points: Sequence[tuple[int, float, int]]) -> None:
        assert name == "train/step_loss"
        self.calls.append([step for step, _, _ in points])
        self.steps += self.calls[-1]

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, at: int | None = None) -> None:
        assert "epoch" not in metrics
        assert step is not None
        self.epochs.append(step)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self.tags |= tags

    def last_step(self, name: str) -> int:
        return max({"train/step_loss": self.steps, "train/loss": self.epochs}[name], default=0)


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., FitResult | None]:
    """Train in the output folder tmp_path / "out", and record it in the given store."""
    config = compose(*TINY, f"cache_dir='{tmp_path / 'cache'}'")
    prepared = runner.prepare(config)
    recipe = build_recipe(config)
    facts = recorded_fit.checkpoint_facts(
        {}, Composition(("seed=1", "tracking.uri=mysql://anna:secret@db/runs"), {}, {}, "mine"),
        key="k", machine=recipe.machine, text={}, versions={},
    )  # fmt: skip

    def run(store: Store, before: Stopped | None = None, on_epoch=None, minutes: float | None = None):
        checkpoints = Checkpoints(tmp_path / "out", facts, minutes=minutes)
        model = runner.build_model(config, prepared)
        return recorded_fit.fit_recorded(
            model, prepared.corpora, recipe, store, checkpoints, before, on_epoch, "the command"
        )

    return run


def interrupt(_metrics: dict[str, float], epoch: int) -> None:
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGINT)


def test_losses_of_steps_are_recorded_together_and_before_their_epoch(train, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    heard: list[tuple[int, int]] = []
    assert train(store, on_epoch=lambda _metrics, epoch: heard.append((epoch, len(store.steps)))) is not None
    assert store.calls == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert store.epochs == [1, 2, 3]
    assert heard == [(1, 3), (2, 6), (3, 9)]
    monkeypatch.setattr(recorded_fit, "STEP_LOSSES_WAIT", -1)
    train(at_once := Store())
    assert at_once.calls == [[step] for step in range(1, 10)]


def test_a_checkpoint_is_written_after_the_losses_of_its_steps_are_recorded(train) -> None:
    train(store := Store(), minutes=0)
    assert store.calls == [[step] for step in range(1, 10)]


@pytest.mark.parametrize("same_store", [True, False])
def test_what_goes_on_is_recorded_once_and_told_whole(
    same_store: bool, train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    store = Store()
    with pytest.raises(KeyboardInterrupt):
        train(store, on_epoch=interrupt)
    assert "stopped after step 6; go on with: the command" in caplog.text
    before = stopped(tmp_path / "out", {})
    heard: list[int] = []
    rest = store if same_store else Store()
    train(rest, before, on_epoch=lambda _metrics, epoch: heard.append(epoch))
    assert heard == [1, 2, 3]
    assert rest.epochs == [1, 2, 3]
    assert rest.steps == (list(range(1, 10)) if same_store else [7, 8, 9])


def test_what_a_store_has_beyond_the_checkpoint_is_not_recorded_again(train, tmp_path: Path) -> None:
    store = Store()
    with pytest.raises(KeyboardInterrupt):
        train(store, on_epoch=interrupt)
    store.log_points("train/step_loss", [(7, 0.5, 0), (8, 0.5, 0)])
    train(store, stopped(tmp_path / "out", {}))
    assert store.steps == list(range(1, 10))


def test_a_training_that_is_pruned_returns_none_and_leaves_no_checkpoint(train, tmp_path: Path) -> None:
    def prune(_metrics: dict[str, float], epoch: int) -> None:
        if epoch == 2:
            raise Pruned(2)

    assert train(store := Store(), on_epoch=prune, minutes=0) is None
    assert store.tags == {"pruned": 2}
    assert store.epochs == [1, 2]
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_a_checkpoint_knows_how_the_run_was_made_but_no_password(train, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Store(), on_epoch=interrupt)
    facts = stopped(tmp_path / "out", {}).facts
    assert (facts["key"], facts["config_dir"]) == ("k", "mine")
    assert facts["overrides"] == ["seed=1", "tracking.uri=mysql://anna:***@db/runs"]
