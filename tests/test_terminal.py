from __future__ import annotations

import io

import pytest
from rich.console import Console

from sentexp import terminal


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
