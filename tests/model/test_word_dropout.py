from __future__ import annotations

import pytest
import torch

from sentexp.model.word_dropout import WordDropout


def test_words_become_unk_at_the_given_rate_and_only_while_training():
    torch.manual_seed(0)
    ids = torch.randint(1, 100, (100, 100), dtype=torch.int32)
    dropout = WordDropout(0.3, unk_index=0)
    dropped = dropout(ids)
    assert dropped.dtype == ids.dtype
    assert 0.28 < (dropped == 0).float().mean() < 0.32
    assert torch.equal(dropped[dropped != 0], ids[dropped != 0])
    assert torch.equal(dropout.eval()(ids), ids)


def test_no_dropout_leaves_the_words_and_the_random_numbers_alone():
    ids = torch.randint(1, 100, (3, 4))
    state = torch.get_rng_state()
    assert WordDropout(0.0, unk_index=0)(ids) is ids
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_a_rate_out_of_range_is_refused(p):
    with pytest.raises(ValueError, match="expected 0 or more and less than 1"):
        WordDropout(p, unk_index=0)
