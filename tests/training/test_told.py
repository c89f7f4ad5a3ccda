"""What a training tells its caller: the losses of steps, and where it diverged."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tiny import TinyModel, corpus, recipe

from sentexp.errors import TrainingDiverged
from sentexp.training import fit


def fresh() -> TinyModel:
    torch.manual_seed(0)
    return TinyModel()


def trained(model: TinyModel, **changes) -> None:
    fit(model, corpus(100), corpus(60, seed=1), recipe(**changes))


def test_a_loss_that_is_not_finite_ends_the_run():
    with pytest.raises(TrainingDiverged, match=r"loss is (nan|inf) at epoch \d+, step \d+ of 21; likely") as raised:
        trained(TinyModel(), optimizer=partial(torch.optim.SGD, lr=1e38))
    assert "a lower optimizer.lr (now 1e+38), trainer.clip_norm=1 (now 0, no clipping)" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_step_that_diverged_is_named(monkeypatch):
    class Breaks(TinyModel):
        steps = 0

        def forward(self, ids, lengths):
            self.steps += self.training
            return super().forward(ids, lengths) * (float("nan") if self.steps == 9 else 1)

    with pytest.raises(TrainingDiverged, match=r"^the training loss is nan at epoch 2, step 9 of 21;"):
        trained(Breaks())
    monkeypatch.setattr("sentexp.training.told.STEPS_PER_FETCH", {"cpu": 50})  # as seldom as on a GPU
    with pytest.raises(TrainingDiverged, match=r"^the training loss is nan at epoch 2, step 9 of 21;"):
        trained(Breaks())


@pytest.mark.parametrize("every", [1, 3, 100])
def test_the_loss_of_some_steps_is_the_mean_since_those_told_before(every):
    def told(log_every: int) -> list[tuple[int, float]]:
        found = []
        some = recipe(epochs=2, log_every=log_every, batch_size=10)
        fit(fresh(), corpus(60), corpus(20, seed=1), some, on_steps=lambda *one: found.append(one))
        return found

    each = [loss for _, loss in told(1)]
    assert len(each) == 12
    expected = [(step, sum(each[step - every : step]) / every) for step in range(every, 13, every)]
    assert told(every) == [(step, pytest.approx(loss)) for step, loss in expected]


def test_the_mean_loss_of_all_steps_is_the_epochs_loss():
    told = []
    trained_with = recipe(epochs=1, log_every=7)
    result = fit(TinyModel(), corpus(7 * trained_with.trainer.batch_size), corpus(20), trained_with,
                 on_steps=lambda *one: told.append(one))  # fmt: skip
    assert [step for step, _ in told] == [7]
    assert told[0][1] == pytest.approx(result.history[0]["train/loss"])
