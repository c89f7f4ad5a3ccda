"""The gradients of one step."""

from __future__ import annotations

import pytest
import torch
from tiny import NeedsMemory, TinyModel, corpus, recipe

from sentexp.batches import Batches
from sentexp.training.classification import Classification
from sentexp.training.losses import class_weights
from sentexp.training.processes import Group
from sentexp.training.schedules import constant
from sentexp.training.state import EpochSums, TrainState
from sentexp.training.step import gradients
from sentexp.training.work import Corpora


def step_of(
    model_class: type[TinyModel] = TinyModel, reviews: int = 20, dropout: float = 0.0, parts: int = 1, **changes
) -> tuple[TinyModel, torch.Tensor, TrainState]:
    """Compute the gradients of a first step. Returns the model, what the step returns, and the state."""
    torch.manual_seed(0)
    model = model_class(dropout=dropout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    state = TrainState(model, optimizer, constant(optimizer, total_steps=1), steps=1, parts=parts)
    changed = recipe(batch_size=reviews, bucket=False, **changes)
    data = corpus(reviews)
    work = Classification(model, Corpora(data, data), changed, Group(), torch.device("cpu"))
    state.epoch, state.sums = 1, EpochSums()
    (step,) = work.steps(state)
    of_step = gradients(state, list(model.parameters()), work, step, Group(), changed)
    return model, of_step, state


def flat(model: TinyModel) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_they_are_those_of_the_mean_loss(class_weight: str) -> None:
    model, (loss, right), _ = step_of(class_weight=class_weight)
    (batch,) = Batches(corpus(20)).of([torch.arange(20)])
    weights = class_weights(class_weight, batch.labels)
    found = flat(model)
    model.zero_grad()
    logits = model(batch.ids, batch.lengths)
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.labels.float(), reduction="none")
    each = each if weights is None else each * weights[batch.labels]
    each.mean().backward()
    torch.testing.assert_close(found, flat(model))
    assert float(loss) == pytest.approx(float(each.detach().sum()), rel=1e-6)
    assert int(right) == int(((logits > 0) == batch.labels).sum())


def test_a_batch_in_parts_has_the_same_gradients() -> None:
    (whole, sums, _), (parts, sums_in_parts, _) = step_of(), step_of(parts=3)
    torch.testing.assert_close(flat(whole), flat(parts))
    torch.testing.assert_close(sums, sums_in_parts)


def test_dropout_depends_on_the_step_alone() -> None:
    first = flat(step_of(dropout=0.5)[0])
    torch.rand(17)  # whatever drew from the generator in between
    assert torch.equal(first, flat(step_of(dropout=0.5)[0]))
    assert not torch.equal(first, flat(step_of(dropout=0.5, seed=1)[0]))


def test_a_batch_for_which_memory_does_not_suffice_is_computed_in_parts(caplog) -> None:
    (whole, sums, _), (parts, sums_in_parts, state) = step_of(), step_of(NeedsMemory, on_oom="halve")
    torch.testing.assert_close(flat(whole), flat(parts))
    torch.testing.assert_close(sums, sums_in_parts)
    assert state.parts == 4
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"out of memory at step 1: batches are computed in {count} parts now" for count in (2, 4)]


class NeedsMore(TinyModel):
    """Has no memory for a single review."""

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize(("model_class", "on_oom"), [(NeedsMore, "halve"), (NeedsMemory, "fail")])
def test_without_memory_for_one_review_or_leave_to_halve_it_ends(model_class: type[TinyModel], on_oom: str) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        step_of(model_class, on_oom=on_oom)
