"""What a training of a classifier learns from, and what it tells."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch
from tiny import TinyModel, corpus, recipe

from sentexp.errors import SentexpError
from sentexp.training import fit, schedules
from sentexp.training.objective import Objective


def fresh() -> TinyModel:
    torch.manual_seed(0)
    return TinyModel()


def test_each_term_is_told_as_a_mean_of_its_own() -> None:
    result = fit(
        fresh(),
        corpus(40),
        corpus(20, seed=1),
        recipe(objective=Objective(adversarial=1.0, entropy=0.5, unlabelled_batch_size=9), optimizer=still()),
        unlabelled=corpus(30, seed=2),
    )
    (first, *_) = result.history
    assert first["train/adversarial"] > first["train/loss"]
    assert 0 < first["train/entropy"] < 0.6932  # at most log 2
    assert "train/virtual_adversarial" not in first
    plain = fit(fresh(), corpus(40), corpus(20, seed=1), recipe(optimizer=still()))
    assert plain.history[0]["train/loss"] == pytest.approx(first["train/loss"])


def still() -> partial:
    return partial(torch.optim.SGD, lr=1e-12)


def test_unlabelled_reviews_change_the_weights_only_where_a_term_reads_them() -> None:
    def weights(unlabelled_reviews: int, **settings: object) -> torch.Tensor:
        unlabelled = corpus(unlabelled_reviews, seed=2) if unlabelled_reviews else None
        result = fit(fresh(), corpus(40), corpus(20, seed=1), recipe(**settings), unlabelled=unlabelled)
        return result.best_state["embedding.weight"]

    reading = {"objective": Objective(entropy=1.0, unlabelled_batch_size=8)}
    assert not torch.equal(weights(30, **reading), weights(0, **reading))
    for settings in ({}, {"objective": Objective(adversarial=1.0, unlabelled_batch_size=8)}):
        assert torch.equal(weights(30, **settings), weights(0, **settings))


def test_the_weights_of_the_terms_grow_from_step_to_step() -> None:
    def after(steps: int, **settings: object) -> torch.Tensor:
        data = recipe(epochs=1, epoch_steps=steps, objective=Objective(entropy=1.0, **settings), optimizer=plain_sgd())
        return fit(fresh(), corpus(60), corpus(20, seed=1), data).best_state["head.weight"]

    def with_weight(weight: float) -> torch.Tensor:
        data = recipe(epochs=1, epoch_steps=1, objective=Objective(entropy=weight), optimizer=plain_sgd())
        return fit(fresh(), corpus(60), corpus(20, seed=1), data).best_state["head.weight"]

    assert torch.equal(after(1, ramp_up=4), with_weight(0.25))
    assert torch.equal(after(1, ramp_up=1), after(1))
    assert not torch.equal(after(3, ramp_up=3), after(3))
    grown = Objective(adversarial=2.0, virtual_adversarial=1.0, ramp_up=4)
    assert grown.at(2) == dataclasses.replace(grown, adversarial=1.0, virtual_adversarial=0.5)
    assert grown.at(4) == grown.at(5) == grown


def plain_sgd() -> partial:
    return partial(torch.optim.SGD, lr=0.1)


def test_an_epoch_by_steps_takes_so_many_and_goes_on_where_the_last_one_ended() -> None:
    by_steps = recipe(epoch_steps=4)
    data = corpus(3 * 16)
    planned = [rows for epoch in (1, 2, 3) for rows in by_steps.plan(data, epoch)]
    passes = [rows for number in (1, 2, 3, 4) for rows in recipe().plan(data, number)]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(planned, passes, strict=True))
    assert len(fit(fresh(), data, corpus(20, seed=1), by_steps).history) == 3


def test_averaged_weights_are_judged_and_kept() -> None:
    plain = fit(fresh(), corpus(60), corpus(30, seed=1), recipe(epochs=1))
    averaged = fit(fresh(), corpus(60), corpus(30, seed=1), recipe(epochs=1, ema=0.5))
    first = fresh().state_dict()["head.weight"]
    weights = [first]
    for steps in range(1, 5):  # 60 reviews in batches of 16: four steps
        data = recipe(epochs=1, epoch_steps=steps)
        weights.append(fit(fresh(), corpus(60), corpus(30, seed=1), data).best_state["head.weight"])
    expected = first.clone()
    for step, present in enumerate(weights[1:], 1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * present
    torch.testing.assert_close(averaged.best_state["head.weight"], expected)
    torch.testing.assert_close(plain.best_state["head.weight"], weights[-1])
    assert averaged.best_loss != plain.best_loss


def test_the_last_weights_are_kept_if_asked_for() -> None:
    valid = corpus(30, seed=1)
    valid.labels = 1 - valid.labels  # the more is learnt the worse
    best, last = (fit(fresh(), corpus(60), valid, recipe(keep=keep)) for keep in ("best", "last"))
    assert last.best_epoch == 3
    assert best.best_epoch < 3
    assert last.best_loss == last.history[-1]["valid/loss"] > best.best_loss


def test_without_validation_reviews_the_last_weights_are_kept() -> None:
    result = fit(fresh(), corpus(60), None, recipe(keep="last"))
    assert (result.best_epoch, result.best_accuracy, result.best_loss) == (3, None, None)
    assert not [name for name in result.history[0] if name.startswith("valid/")]
    judged = fit(fresh(), corpus(60), corpus(30, seed=1), recipe(keep="last"))
    assert all(torch.equal(result.best_state[name], judged.best_state[name]) for name in judged.best_state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "trainer.keep=best: there are no validation reviews to choose by; expected trainer.keep=last"),
        ({"keep": "last", "early_stopping": 2}, "trainer.early_stopping=2: .* expected trainer.early_stopping=null"),
        ({"keep": "last", "schedule": partial(schedules.plateau, patience=0)}, "schedule=plateau: there is no .* loss"),
    ],
)
def test_what_needs_validation_reviews_is_refused_without_them(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SentexpError, match=message):
        fit(fresh(), corpus(60), None, recipe(**changes))
