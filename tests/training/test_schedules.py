from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from sentexp.training import schedules

PEAK = 0.5


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)


def rates(schedule: LRScheduler, steps: int) -> list[float]:
    """The learning rate of each step, as shares of the peak."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"] / PEAK)
        schedule.optimizer.step()
        schedule.step()
    return found


def test_constant_stays():
    assert rates(schedules.constant(optimizer(), 4, 2), 4) == [1, 1, 1, 1]


def test_constant_warms_up_linearly():
    found = rates(schedules.constant(optimizer(), 10, 5, warmup=0.3), 5)
    assert found == pytest.approx([0.25, 0.5, 0.75, 1, 1])


def test_cosine_falls_from_the_peak_to_its_final_fraction():
    found = rates(schedules.cosine(optimizer(), 11, 11, warmup=0.0, final_fraction=0.2), 11)
    assert found[0] == 1
    assert found[5] == pytest.approx(0.6)
    assert found[10] == pytest.approx(0.2)


def test_cosine_warms_up_first():
    found = rates(schedules.cosine(optimizer(), 20, 20, warmup=0.1), 20)
    assert found[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert found[-1] == pytest.approx(0)


@pytest.mark.parametrize(("steps", "pct_start"), [(20, 0.3), (100, 0.25), (7, 0.5)])
def test_one_cycle_is_torchs(steps, pct_start):
    ours = schedules.one_cycle(optimizer(), steps, steps, pct_start=pct_start, div_factor=10, final_div_factor=50)
    theirs = OneCycleLR(
        optimizer(), PEAK, total_steps=steps, pct_start=pct_start, div_factor=10, final_div_factor=50,
        cycle_momentum=False,
    )  # fmt: skip
    assert rates(ours, steps) == pytest.approx(rates(theirs, steps))


@pytest.mark.parametrize(("steps", "pct_start"), [(10, 0.1), (1, 0.3), (2, 0.3), (3, 0.99)])
def test_one_cycle_copes_with_few_steps(steps, pct_start):
    found = rates(schedules.one_cycle(optimizer(), steps, steps, pct_start=pct_start), steps)
    assert all(0 < rate <= 1 for rate in found)


def test_one_cycle_leaves_momentum_alone():
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK, momentum=0.3)
    rates(schedules.one_cycle(sgd, 5, 5), 4)
    assert sgd.param_groups[0]["momentum"] == 0.3


def test_plateau_halves_once_its_patience_is_over():
    schedule = schedules.plateau(optimizer(), 10, 2, factor=0.5, patience=1, min_lr=0.2)
    found = []
    for loss in (1.0, 0.9, 0.9, 0.9, 0.9, 0.9):
        schedule.step(loss)
        found.append(schedule.optimizer.param_groups[0]["lr"])
    assert found == [0.5, 0.5, 0.5, 0.25, 0.25, 0.2]
