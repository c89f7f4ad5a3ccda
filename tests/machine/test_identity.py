from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sentexp.machine import identity
from sentexp.machine.identity import has_ended, has_file_open, process_name


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


@pytest.mark.parametrize("rest", ["", "x y", "x", "-1 5", "1.5 y", "² y", " ", "  ", "{pid}", "{pid} "])
def test_a_text_that_is_no_name_of_ours_is_not_judged(rest: str) -> None:
    machine, rest = process_name().split(" ")[0], rest.format(pid=os.getpid())
    assert not has_ended(f"{machine} {rest}")
    assert not has_ended(rest)


def test_a_process_has_a_file_open_where_it_writes_one(tmp_path: Path) -> None:
    (tmp_path / "here" / "0").mkdir(parents=True)
    with (tmp_path / "here" / "0" / "log").open("w"):
        assert has_file_open(os.getpid(), tmp_path / "here")
        assert not has_file_open(os.getpid(), tmp_path / "her")
    assert not has_file_open(os.getpid(), tmp_path / "here")
    assert not has_file_open(2**22 + 1, tmp_path)  # no process has that number


def test_two_machines_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    ended = []
    for number in ("3d12", "77aa"):
        (tmp_path / number).write_text(f"{number}\n")
        monkeypatch.setattr(identity, "MACHINE_NUMBER", tmp_path / number)
        ended.append(f"{process_name()}0")
    assert [has_ended(name) for name in ended] == [False, True]
    monkeypatch.setattr(identity, "MACHINE_NUMBER", tmp_path / "none")
    assert has_ended(f"{process_name()}0")
