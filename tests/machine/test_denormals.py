from __future__ import annotations

import pytest
import torch
from test_loop import trained
from tiny import TinyModel

from sentexp.machine.denormals import denormals_flushed, flushes_denormals

pytestmark = pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="this PyTorch cannot flush denormals on this processor"
)


def test_they_are_zero_inside_and_themselves_again_outside():
    tiny = torch.full((4,), 2.0**-130)
    with denormals_flushed():
        assert (tiny * 0.5).tolist() == [0.0] * 4
    assert (tiny * 0.5).tolist() == [2.0**-131] * 4


def test_what_was_set_before_is_restored_also_after_an_error():
    for before in (False, True):
        torch.set_flush_denormal(before)
        try:
            with pytest.raises(RuntimeError), denormals_flushed():
                raise RuntimeError
            assert flushes_denormals() is before
        finally:
            torch.set_flush_denormal(False)


def test_a_training_computes_without_them_forward_and_backward():
    seen = []

    class Watched(TinyModel):
        def forward(self, ids, lengths):
            logits = super().forward(ids, lengths)
            seen.append(flushes_denormals())
            if logits.requires_grad:
                logits.register_hook(lambda gradient: seen.append(flushes_denormals()))
            return logits

    trained(Watched(), epochs=1)
    assert seen
    assert all(seen)
    assert not flushes_denormals()
