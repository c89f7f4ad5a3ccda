from __future__ import annotations

import logging
import sys

import pytest

from hydra_plugins.sentexp_sweeper import SentexpSweeper


def test_a_sweep_says_its_first_word_before_anything_heavy_is_imported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "sentexp.report.sweep.folder", None)
    with caplog.at_level(logging.INFO, logger="sentexp"), pytest.raises(ImportError):
        SentexpSweeper().sweep(["model=lstm,gru", "seed=1"])
    assert caplog.messages == ["start of a sweep: model=lstm,gru seed=1"]
