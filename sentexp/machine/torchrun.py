"""Which of the processes that torchrun has started this one is. Imports nothing heavy."""

from __future__ import annotations

import os


def under_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ and "WORLD_SIZE" in os.environ


def rank() -> int:
    """Of this process among those that torchrun has started; 0 without torchrun. Rank 0 alone prints and writes."""
    return int(os.environ["RANK"]) if under_torchrun() else 0
