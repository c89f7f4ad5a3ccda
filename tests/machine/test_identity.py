from __future__ import annotations

import os
import subprocess
import sys

from sentexp.machine.identity import has_ended, process_name


def test_a_process_has_ended_once_it_is_gone_and_not_before() -> None:
    assert not has_ended(process_name())
    child = subprocess.Popen(
        [sys.executable, "-c", "from sentexp.machine.identity import *; print(process_name(), flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert not has_ended(name)
    child.kill()
    child.communicate()
    assert has_ended(name)


def test_another_with_its_number_is_not_taken_for_it_and_one_elsewhere_is_not_judged() -> None:
    machine, pid, began = process_name().split(" ", 2)
    assert has_ended(f"{machine} {pid} {began}0")
    assert not has_ended(f"elsewhere/ {os.getpid()} 1")
    assert not has_ended("")
