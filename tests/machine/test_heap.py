from __future__ import annotations

import platform
import subprocess
import sys

import pytest

MEASURE = """
import resource, sys, torch
if sys.argv[1] == "keep":
    from sentexp.machine.heap import keep_heap
    assert keep_heap()
def touch():
    torch.ones(64 << 18)  # 64 MB
for _ in range(10):  # the heap finds its place for the block in the first few
    touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has this setting")
def test_a_block_that_is_freed_and_asked_for_again_is_not_touched_for_the_first_time_again() -> None:
    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", MEASURE, how], text=True, capture_output=True, check=True)
        return int(done.stdout)

    assert faults("keep") < faults("leave") / 2
