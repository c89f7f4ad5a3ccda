"""Keeps the memory of one training step for the next, instead of giving it back to the system in between."""

from __future__ import annotations

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h

KEPT_BLOCK = 128 << 20
"""Largest block that is kept, in bytes; the LSTM's workspaces take 30 MB and more."""

KEPT_FREE = 512 << 20
"""Free memory that stays with the process, in bytes."""


@functools.cache
def keep_heap() -> bool:
    """Tell glibc to keep large blocks for this process until it ends. Returns False if there is no glibc.

    By default glibc maps and unmaps every block over 32 MB, so that each step of an LSTM touches its workspace for the
    first time: the page faults took a third to a half of the training time (measured, 64 reviews of 232 tokens).
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_FREE))
