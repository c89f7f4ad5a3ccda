"""This process among those that torchrun has started. Imports nothing heavy."""

from __future__ import annotations

import os


def under_torchrun() -> bool:
    """Return True if torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ and "WORLD_SIZE" in os.environ


def rank() -> int:
    """Return this process's torchrun rank; 0 outside torchrun. Rank 0 alone prints and writes."""
    return int(os.environ["RANK"]) if under_torchrun() else 0
