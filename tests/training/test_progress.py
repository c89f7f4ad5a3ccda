from __future__ import annotations

import io

import pytest
from rich.console import Console

from sentexp.training.progress import TrainingProgress, epoch_line

METRICS = {
    "train/loss": 0.69314,
    "train/accuracy": 0.50352,
    "valid/loss": 0.69333,
    "valid/accuracy": 0.49315,
    "seconds": 42.3,
    "reviews_per_second": 412.4,
}


def test_an_epochs_line():
    assert epoch_line(1, 3, METRICS) == ("epoch 1/3  train loss 0.6931 acc 0.5035  valid loss 0.6933 acc 0.4931  42 s")
    assert len(epoch_line(10, 10, METRICS | {"seconds": 142.0})) < 80


@pytest.mark.parametrize(("seconds", "shown"), [(0.04, "0.0 s"), (2.34, "2.3 s"), (9.96, "10.0 s"), (3601, "3601 s")])
def test_seconds(seconds, shown):
    assert epoch_line(1, 1, METRICS | {"seconds": seconds}).endswith(f"  {shown}")


@pytest.mark.parametrize("terminal", [True, False])
def test_the_line_is_written_once_and_the_bar_only_on_a_terminal(terminal, monkeypatch):
    monkeypatch.setattr("sentexp.training.progress.REFRESH_SECONDS", 0)
    screen, lines = io.StringIO(), []
    progress = TrainingProgress(lines.append, Console(file=screen, force_terminal=terminal, width=120))
    progress.start_epoch(1, 2, 100, "reviews", steps_left=20)
    assert "nan" not in screen.getvalue()
    progress.step(1, 10, {"train/loss": 0.5, "train/accuracy": 0.75})
    progress.end_epoch(1, 2, METRICS)
    progress.close()
    assert lines == [epoch_line(1, 2, METRICS)]
    assert ("10/100" in screen.getvalue()) is terminal
    assert ("loss 0.5000 acc 0.7500" in screen.getvalue()) is terminal


def test_no_console_is_silent_but_for_the_lines():
    lines: list[str] = []
    progress = TrainingProgress(lines.append)
    progress.start_epoch(1, 1, 1, "tokens", steps_left=1)
    progress.step(1, 1, {"train/loss": 0.5, "train/perplexity": 1.65})
    progress.end_epoch(1, 1, METRICS)
    assert len(lines) == 1
