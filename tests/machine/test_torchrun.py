from __future__ import annotations

import pytest

from sentexp.machine.torchrun import rank, under_torchrun

VARIABLES = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "4"}


def test_the_rank_is_torchruns(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert under_torchrun()
    assert rank() == 3


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_rank_of_somebody_else_is_not_ours(missing, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    assert not under_torchrun()
    assert rank() == 0
