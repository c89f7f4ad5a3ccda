from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys

import pytest
from rich.console import Console

from sentexp import terminal
from sentexp.terminal import LogFile


@pytest.mark.parametrize(("is_terminal", "rank", "shown"), [(True, 0, True), (False, 0, False), (True, 1, False)])
def test_a_bar_is_shown_on_the_terminal_of_the_first_process(is_terminal, rank, shown, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda: Console(file=screen, force_terminal=is_terminal, width=80))
    monkeypatch.setattr(terminal, "rank", lambda: rank)
    with terminal.bar() as progress:
        progress(3, 4, "tokenizing")
        progress(1, None, "downloading")
        progress(4, 4, "tokenizing")
    for text in ("tokenizing", "100%", "downloading"):
        assert (text in screen.getvalue()) is shown


PRINTS = "from sentexp.terminal import outlive_output; outlive_output(goes_on={}); print('a' * 100_000, flush=True); "
PRINTS += "print('b', flush=True); open('done', 'w').close()"


@pytest.mark.parametrize(
    ("goes_on", "into", "status", "done", "words"),
    [
        (True, "| true", 0, True, "sentexp: output: Broken pipe; the program goes on, and writes its log\n"),
        (
            True,
            "> /dev/full",
            0,
            True,
            "sentexp: output: No space left on device; the program goes on, and writes its log\n",
        ),
        (False, "| true", 141, False, ""),
        (True, "2>&1 | true", 0, True, ""),
        (False, ">&-", 0, True, ""),
    ],
)
def test_a_run_outlives_its_output_and_what_only_prints_ends_quietly(goes_on, into, status, done, words, tmp_path):
    program = f'{sys.executable} -c "{PRINTS.format(goes_on)}" {into}; exit ${{PIPESTATUS[0]}}'
    ended = subprocess.run(["bash", "-c", program], cwd=tmp_path, text=True, capture_output=True)
    assert (ended.returncode, ended.stderr) == (status, words)
    assert (tmp_path / "done").exists() is done


def test_output_that_was_asked_for_and_cannot_be_written_is_an_error_of_its_own(tmp_path):
    ended = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{PRINTS.format(False)}" > /dev/full'],
        cwd=tmp_path, text=True, capture_output=True,
    )  # fmt: skip
    assert ended.stderr.splitlines()[-1] == "sentexp.terminal.OutputLost: output: No space left on device"


def test_what_has_replaced_the_output_stays(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal.outlive_output(goes_on=True)
    assert sys.stdout is screen


def test_what_is_going_on_is_shown_on_a_terminal_alone(monkeypatch):
    for is_terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)
        monkeypatch.setattr(terminal, "console", lambda console=console: console)
        with terminal.status("opening the store"):
            pass
        assert ("opening the store ..." in console.file.getvalue()) is is_terminal


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile("/dev/full")
    log = logging.Logger("full")
    log.addHandler(handler)
    for _ in range(3):
        log.info("line")
    with contextlib.suppress(OSError):
        handler.close()
    assert capsys.readouterr().err == "sentexp: /dev/full: No space left on device; the program goes on without it\n"
