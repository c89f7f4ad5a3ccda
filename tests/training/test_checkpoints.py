"""A training that goes on from a checkpoint is the one that was never stopped, bit for bit."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import NeedsMemory, TinyModel, corpus, recipe

from sentexp import checkpoint_files
from sentexp.errors import SentexpError
from sentexp.training import Checkpoints, FitResult, choose_machine, fit, read_state, schedules
from sentexp.training.objective import Objective

TIMES = ("seconds", "reviews_per_second", "tokens_per_second")
STEPS = 7  # of an epoch


def fresh() -> TinyModel:
    torch.manual_seed(0)
    return TinyModel(dropout=0.3)


def trained(
    checkpoints: Checkpoints | None = None,
    saved: dict[str, Any] | None = None,
    on_steps: Callable[[int, float], object] | None = None,
    on_epoch: Callable[[dict[str, float], int], object] | None = None,
    **changes: Any,
) -> tuple[FitResult, list[tuple[int, float]]]:
    points: list[tuple[int, float]] = []

    def tell(step: int, loss: float) -> None:
        points.append((step, loss))
        if on_steps is not None:
            on_steps(step, loss)

    settings = {"log_every": 1} | changes
    return fit(
        fresh(), corpus(16 * STEPS - 3), corpus(40, seed=1), recipe(**settings),
        unlabelled=corpus(13, seed=2), on_steps=tell, on_epoch=on_epoch, checkpoints=checkpoints, saved=saved,
    ), points  # fmt: skip


def stop_at(step: int) -> Callable[[int, float], None]:
    return lambda now, _loss: os.kill(os.getpid(), signal.SIGINT) if now == step else None


def figures(result: FitResult) -> list[dict[str, float]]:
    return [{name: value for name, value in entry.items() if name not in TIMES} for entry in result.history]


def resumed(folder: Path) -> dict[str, Any]:
    return read_state(checkpoint_files.newest(folder).state)


RECIPES = {
    "sgd": {"optimizer": partial(torch.optim.SGD, lr=0.5, momentum=0.9)},
    "adam, one cycle": {"optimizer": partial(torch.optim.Adam, lr=0.05), "schedule": schedules.one_cycle},
    "adamw, cosine, clipped": {
        "optimizer": partial(torch.optim.AdamW, lr=0.05),
        "schedule": partial(schedules.cosine, warmup=0.2),
        "clip_norm": 0.1,
    },
    "rmsprop, plateau": {
        "optimizer": partial(torch.optim.RMSprop, lr=0.05),
        "schedule": partial(schedules.plateau, patience=0),
    },
    "adagrad, by epoch": {
        "optimizer": partial(torch.optim.Adagrad, lr=0.05),
        "schedule": partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
        "interval": "epoch",
    },
    "balanced": {"sampling": "balanced", "log_every": 3},
    "mixed objective, averaged weights, epochs by steps": {
        "objective": Objective(1.0, 1.0, 0.5, unlabelled_batch_size=5),
        "optimizer": partial(torch.optim.Adam, lr=0.05),
        "ema": 0.9,
        "epoch_steps": STEPS,
        "batch_size": 24,
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_from_each_step_it_goes_on_to_the_same_weights_and_points(name: str, tmp_path: Path) -> None:
    whole, points = trained(**RECIPES[name])
    for step in range(1, 3 * STEPS + 1):
        folder = tmp_path / str(step)
        changes = RECIPES[name] | {"log_every": 1}
        with pytest.raises(KeyboardInterrupt):
            trained(Checkpoints(folder), on_steps=stop_at(step), **changes)
        saved = resumed(folder)
        assert saved["step"] == step
        rest, further = trained(saved=saved, **RECIPES[name])
        assert figures(rest) == figures(whole), step
        assert all(torch.equal(rest.best_state[part], whole.best_state[part]) for part in whole.best_state), step
        assert further == [point for point in points if point[0] > step] or name == "balanced", step


def test_the_points_of_the_loss_are_those_of_one_that_was_never_stopped(tmp_path: Path) -> None:
    """Where a point is the mean of several steps, of which some came before the checkpoint."""
    _, points = trained(log_every=3)
    for step in range(1, 3 * STEPS):
        folder = tmp_path / str(step)
        checkpoints = Checkpoints(folder, minutes=0)
        checkpoints.before = lambda step=step: os.kill(os.getpid(), signal.SIGINT) if stopping(step) else None
        calls = []

        def stopping(step: int, calls: list[int] = calls) -> bool:
            calls.append(1)
            return len(calls) == step

        with pytest.raises(KeyboardInterrupt):
            trained(checkpoints, log_every=3)
        saved = resumed(folder)
        _, further = trained(saved=saved, log_every=3)
        assert further == [point for point in points if point[0] > saved["step"]]


@pytest.mark.slow
def test_two_processes_go_on_too(tmp_path: Path) -> None:
    machine = choose_machine(device="cpu", precision="fp32", processes=2)
    settings: dict[str, Any] = {"machine": machine, "optimizer": partial(torch.optim.Adam, lr=0.05)}
    whole, points = trained(**settings)
    with pytest.raises(KeyboardInterrupt):
        trained(Checkpoints(tmp_path), on_steps=stop_at(STEPS + 2), **settings)
    rest, further = trained(saved=resumed(tmp_path), **settings)
    assert figures(rest) == figures(whole)
    assert all(torch.equal(rest.best_state[part], whole.best_state[part]) for part in whole.best_state)
    assert further == points[STEPS + 2 :]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_stop_while_an_epoch_is_told_of_loses_nothing_and_it_is_told_of_again(at: int, tmp_path: Path) -> None:
    whole, _ = trained()
    heard: list[int] = []

    def on_epoch(_metrics: dict[str, float], epoch: int) -> None:
        if epoch == at:
            os.kill(os.getpid(), signal.SIGINT)
        heard.append(epoch)

    with pytest.raises(KeyboardInterrupt):
        trained(Checkpoints(tmp_path), on_epoch=on_epoch)
    saved = resumed(tmp_path)
    assert (saved["epoch"], saved["sums"], saved["told"]) == (at, None, at - 1)
    result, _ = trained(saved=saved, on_epoch=lambda _metrics, epoch: heard.append(epoch))
    assert figures(result) == figures(whole)
    assert heard == [1, 2, 3]


def test_a_training_stopped_while_it_validates_validates_again(tmp_path: Path, monkeypatch) -> None:
    whole, _ = trained()
    plain, calls = TinyModel.forward, []

    def forward(self: TinyModel, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        calls.append(self.training)
        if calls.count(False) == 1 and not self.training:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, ids, lengths)

    monkeypatch.setattr(TinyModel, "forward", forward)
    with pytest.raises(KeyboardInterrupt):
        trained(Checkpoints(tmp_path))
    monkeypatch.undo()
    saved = resumed(tmp_path)
    assert (saved["step"], saved["sums"]["steps"], saved["history"]) == (STEPS, STEPS, [])
    assert figures(trained(saved=saved)[0]) == figures(whole)


def test_a_second_interrupt_does_not_wait_for_the_step(tmp_path: Path) -> None:
    def twice(step: int, _loss: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trained(Checkpoints(tmp_path), on_steps=twice)
    assert not checkpoint_files.there(tmp_path)


def test_more_epochs_than_were_asked_for_at_first(tmp_path: Path) -> None:
    whole, _ = trained(epochs=4)
    trained(Checkpoints(tmp_path, every=1), epochs=2)
    assert figures(trained(saved=resumed(tmp_path), epochs=4)[0]) == figures(whole)


def test_it_is_written_by_time_and_by_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(checkpoint_files, "write", lambda output, step, write, facts: written.append(step))
    trained(Checkpoints(tmp_path))
    assert written == []
    trained(Checkpoints(tmp_path, minutes=None, every=2))
    assert written == [2 * STEPS]
    written.clear()
    trained(Checkpoints(tmp_path, minutes=0))
    assert written == sorted([*range(1, 3 * STEPS + 1), STEPS, 2 * STEPS, 3 * STEPS])  # and after each epoch


def test_what_takes_long_to_write_is_written_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("sentexp.training.checkpoints.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("sentexp.training.checkpoints.saved_of", lambda state: clock.__setitem__(0, clock[0] + 30))
    monkeypatch.setattr(checkpoint_files, "write", lambda *_: None)
    checkpoints = Checkpoints(tmp_path, minutes=1)
    clock[0] = 60.0
    assert checkpoints.due()
    checkpoints.save(type("State", (), {"step": 1}))  # 30 seconds
    clock[0] += 2999
    assert not checkpoints.due()
    clock[0] += 1
    assert checkpoints.due()


@pytest.mark.skipif(os.name != "posix", reason="sets a limit of POSIX")
def test_a_full_disk_costs_the_new_checkpoint_alone(tmp_path: Path, caplog) -> None:
    import resource

    whole, _ = trained()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(step: int, _loss: float) -> None:
        if step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))

    try:
        result, _ = trained(Checkpoints(tmp_path, minutes=0), on_steps=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert figures(result) == figures(whole)
    assert "step 6 not saved" in caplog.text
    assert "File too large" in caplog.text
    assert "that of step 5 stays" in caplog.text
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        f"step-000000000{step}.{kind}" for step in (4, 5) for kind in ("json", "pt")
    ]
    assert figures(trained(saved=resumed(tmp_path))[0]) == figures(whole)


class Rule:
    def __init__(self) -> None:
        self.random = random.Random(0)

    def __call__(self, step: int) -> float:
        return 0.5**step


def test_a_state_that_could_not_be_read_again_is_told_and_not_written(tmp_path: Path, caplog) -> None:
    schedule = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=Rule())
    trained(Checkpoints(tmp_path, every=3), schedule=schedule)
    assert not checkpoint_files.there(tmp_path)
    assert "the state of the schedule holds a Random; expected tensors, numbers and texts" in caplog.text


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    trained(Checkpoints(tmp_path, every=3))
    saved = resumed(tmp_path)
    with pytest.raises(SentexpError, match="the checkpoint is of another model or optimizer"):
        fit(TinyModel(classes=3), corpus(20, classes=3), corpus(20, classes=3), recipe(), saved=saved)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 1}, tmp_path / "other.pt")
    with pytest.raises(SentexpError, match="not a checkpoint of this version; expected averages, best, carried, epoch"):
        read_state(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("text")
    with pytest.raises(SentexpError, match=r"text\.pt: damaged \(.*\); expected tensors"):
        read_state(tmp_path / "text.pt")


def small(**arguments: Any) -> FitResult:
    changes = {name: arguments.pop(name) for name in ("checkpoints", "saved") if name in arguments}
    model = arguments.pop("model", TinyModel)
    torch.manual_seed(0)
    return fit(model(), corpus(45), corpus(40, seed=1), recipe(**{"on_oom": "halve"} | arguments), **changes)


def test_a_lack_of_memory_leaves_a_checkpoint_from_which_halves_go_on(tmp_path: Path, monkeypatch) -> None:
    whole = small()
    plain, calls = TinyModel.forward, []

    def forward(self: TinyModel, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        calls.append(len(ids))
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(self, ids, lengths)

    monkeypatch.setattr(TinyModel, "forward", forward)
    with pytest.raises(torch.OutOfMemoryError):
        small(on_oom="fail", checkpoints=Checkpoints(tmp_path))
    monkeypatch.undo()
    saved = resumed(tmp_path)
    assert (saved["step"], saved["sums"]["steps"]) == (2, 2)
    for ours, theirs in zip(figures(small(model=NeedsMemory, saved=saved)), figures(whole), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
