from __future__ import annotations

import pytest
import torch
from tiny import corpus, recipe

from sentexp.batches import plan


@pytest.mark.parametrize(
    "bounds", [{"batch_size": 8}, {"batch_size": None, "max_tokens": 40}, {"batch_size": 8, "bucket": False}]
)
def test_it_plans_by_its_trainer_and_its_seed(bounds):
    reviews = corpus(50)
    planned = recipe(**bounds, seed=3).plan(reviews, epoch=2)
    expected = plan(reviews, **bounds, seed=3, epoch=2)
    assert len(planned) == len(expected) > 1
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(planned, expected, strict=True))


@pytest.mark.parametrize("interval", ["steps", "", None])
def test_another_interval_is_refused(interval):
    with pytest.raises(ValueError, match=rf"^interval={interval}: expected step or epoch$"):
        recipe(interval=interval)
