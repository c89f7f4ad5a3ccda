from __future__ import annotations

from functools import partial

import pytest
import torch
from tiny import TinyModel, corpus, recipe
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from sentexp.training import fit, schedules
from sentexp.training.schedules import build_schedule

PEAK = 0.5


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)


def rates(schedule: LRScheduler, steps: int, last: bool = True) -> list[float]:
    """The learning rate of each step, as shares of the peak; `last` moves it once more after the last one."""
    found = []
    for step in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"] / PEAK)
        schedule.optimizer.step()
        if last or step < steps - 1:
            schedule.step()
    return found


def test_constant_stays():
    assert rates(schedules.constant(optimizer(), 4), 4) == [1, 1, 1, 1]


def test_constant_warms_up_linearly():
    found = rates(schedules.constant(optimizer(), 10, warmup=0.3), 5)
    assert found == pytest.approx([0.25, 0.5, 0.75, 1, 1])


def test_cosine_falls_from_the_peak_to_its_final_fraction():
    found = rates(schedules.cosine(optimizer(), 11, warmup=0.0, final_fraction=0.2), 11)
    assert found[0] == 1
    assert found[5] == pytest.approx(0.6)
    assert found[10] == pytest.approx(0.2)


def test_cosine_warms_up_first():
    found = rates(schedules.cosine(optimizer(), 20, warmup=0.1), 20)
    assert found[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert found[-1] == pytest.approx(0)


@pytest.mark.parametrize(("steps", "pct_start"), [(20, 0.3), (100, 0.25), (7, 0.5)])
def test_one_cycle_is_torchs(steps, pct_start):
    ours = schedules.one_cycle(optimizer(), steps, pct_start=pct_start, div_factor=10, final_div_factor=50)
    theirs = OneCycleLR(
        optimizer(), PEAK, total_steps=steps, pct_start=pct_start, div_factor=10, final_div_factor=50,
        cycle_momentum=False,
    )  # fmt: skip
    assert rates(ours, steps) == pytest.approx(rates(theirs, steps))


@pytest.mark.parametrize(("steps", "pct_start"), [(10, 0.1), (1, 0.3), (2, 0.3), (3, 0.99)])
def test_one_cycle_copes_with_few_steps(steps, pct_start):
    found = rates(schedules.one_cycle(optimizer(), steps, pct_start=pct_start), steps)
    assert all(0 < rate <= 1 for rate in found)


def test_one_cycle_leaves_momentum_alone():
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK, momentum=0.3)
    rates(schedules.one_cycle(sgd, 5), 4)
    assert sgd.param_groups[0]["momentum"] == 0.3


def test_plateau_halves_once_its_patience_is_over():
    schedule = schedules.plateau(optimizer(), factor=0.5, patience=1, min_lr=0.2)
    found = []
    for loss in (1.0, 0.9, 0.9, 0.9, 0.9, 0.9):
        schedule.step(loss)
        found.append(schedule.optimizer.param_groups[0]["lr"])
    assert found == [0.5, 0.5, 0.5, 0.25, 0.25, 0.2]


def all_arguments(optimizer, total_steps, steps_per_epoch):
    return total_steps, steps_per_epoch


def steps_per_epoch_alone(optimizer, steps_per_epoch=None):
    return steps_per_epoch


def by_keyword_alone(optimizer, *, total_steps, share=0.5):
    return total_steps, share


def anything(optimizer, **others):
    return others


@pytest.mark.parametrize(
    ("factory", "given"),
    [
        (all_arguments, (20, 5)),
        (steps_per_epoch_alone, 5),
        (by_keyword_alone, (20, 0.5)),
        (partial(by_keyword_alone, share=0.1), (20, 0.1)),
        (partial(all_arguments, total_steps=7), (7, 5)),
        (partial(partial(all_arguments, total_steps=7), steps_per_epoch=1), (7, 1)),
        (anything, {}),
        (lambda optimizer: "nothing", "nothing"),
    ],
)
def test_a_factory_is_given_what_its_signature_names(factory, given):
    assert build_schedule(factory, optimizer(), total_steps=20, steps_per_epoch=5) == given


def warm_then_fall(optimizer, total_steps):
    """Two of PyTorch's schedulers, one after the other."""
    warm = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=2)
    fall = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    return lr_scheduler.SequentialLR(optimizer, [warm, fall], milestones=[2])


TORCHS = {
    "StepLR": partial(lr_scheduler.StepLR, step_size=2, gamma=0.1),
    "CosineAnnealingLR": partial(lr_scheduler.CosineAnnealingLR, T_max=6),
    "ExponentialLR": partial(lr_scheduler.ExponentialLR, gamma=0.9),
    "LambdaLR": partial(lr_scheduler.LambdaLR, lr_lambda=lambda count: 1 / (1 + count)),
    "OneCycleLR": partial(lr_scheduler.OneCycleLR, max_lr=PEAK, cycle_momentum=False),
    "SequentialLR": warm_then_fall,
}
STEPS_PER_EPOCH, EPOCHS = 2, 3


def rates_while_training(schedule, **changes) -> list[float]:
    """The learning rate of each step of a training of 3 epochs with 2 steps each, as shares of the peak."""
    found = []

    class Recording(torch.optim.SGD):
        def step(self, closure=None):
            found.append(self.param_groups[0]["lr"] / PEAK)
            return super().step(closure)

    settings = {"optimizer": partial(Recording, lr=PEAK), "schedule": schedule, "epochs": EPOCHS} | changes
    fit(TinyModel(), corpus(32), corpus(16, seed=1), recipe(**settings))
    return found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", TORCHS)
def test_torchs_own_schedules_move_with_each_step(name):
    steps = STEPS_PER_EPOCH * EPOCHS
    expected = rates(build_schedule(TORCHS[name], optimizer(), total_steps=steps, steps_per_epoch=2), steps, last=False)
    assert rates_while_training(TORCHS[name]) == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", TORCHS)
def test_torchs_own_schedules_move_with_each_epoch(name):
    schedule = build_schedule(TORCHS[name], optimizer(), total_steps=EPOCHS, steps_per_epoch=1)
    expected = rates(schedule, EPOCHS, last=False)
    found = rates_while_training(TORCHS[name], interval="epoch")
    assert found == pytest.approx([rate for rate in expected for _ in range(STEPS_PER_EPOCH)])


def test_ours_move_with_each_epoch_as_well():
    found = rates_while_training(partial(schedules.cosine, warmup=0.0), interval="epoch")
    assert found == pytest.approx([1, 1, 0.5, 0.5, 0, 0])


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_reduce_on_plateau_moves_with_each_epoch_by_the_validation_loss(interval):
    given = []

    class Recording(lr_scheduler.ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            given.append(metrics)
            super().step(metrics)

    settings = {"schedule": partial(Recording, factor=0.1), "interval": interval, "epochs": EPOCHS}
    result = fit(TinyModel(), corpus(32), corpus(16, seed=1), recipe(**settings))
    assert given == [entry["valid/loss"] for entry in result.history]
