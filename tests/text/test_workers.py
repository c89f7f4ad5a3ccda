from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentexp.errors import SentexpError
from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import CallableTokenizer, SpacyTokenizer
from sentexp.text.workers import tokenize_chunks

CHUNKS = [[f"film {number} is :) ) good", "it's not"] for number in range(7)]


def test_several_processes_tokenize_as_one_does():
    alone, together = (list(tokenize_chunks(iter(CHUNKS), SpacyTokenizer(), Cleaning(), count)) for count in (0, 2))
    assert [chunk.tokens for chunk in together] == [chunk.tokens for chunk in alone]
    assert [chunk.ids.tolist() for chunk in together] == [chunk.ids.tolist() for chunk in alone]
    assert [chunk.lengths.tolist() for chunk in together] == [chunk.lengths.tolist() for chunk in alone]


@pytest.fixture
def functions(tmp_path, monkeypatch):
    (tmp_path / "odd_words.py").write_text(
        "import os, sys, time\n"
        "def fails(text):\n    raise ValueError('no such word')\n"
        "def dies(text):\n    os._exit(3)\n"
        "def sleeps(text):\n    time.sleep(60) if 'stop' in text else None\n    return text.split()\n"
        "def threads(text):\n    return [os.environ['OMP_NUM_THREADS'], str('torch' in sys.modules)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_an_error_in_a_worker_shows_its_cause(functions):
    with pytest.raises(SentexpError, match=r"^tokenizer.path=odd_words.fails: failed with ValueError: no such word"):
        list(tokenize_chunks(CHUNKS, CallableTokenizer("odd_words.fails"), Cleaning(), 2))
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_is_said(functions):
    with pytest.raises(SentexpError, match=r"^a process that tokenizes ended by itself"):
        list(tokenize_chunks(CHUNKS, CallableTokenizer("odd_words.dies"), Cleaning(), 2))


def test_who_stops_early_does_not_wait_for_the_workers(functions):
    results = tokenize_chunks([*[["go"]] * 6, *[["stop"]] * 20], CallableTokenizer("odd_words.sleeps"), Cleaning(), 2)
    assert next(results).tokens == ["go"]
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 10
    assert not multiprocessing.active_children()


def test_only_a_few_chunks_are_drawn_ahead(functions):
    drawn = []
    chunks = ([str(drawn.append(number))] for number in range(1000))
    results = tokenize_chunks(chunks, CallableTokenizer("odd_words.sleeps"), Cleaning(), 2)
    next(results)
    assert len(drawn) <= 6
    results.close()


def test_a_worker_has_one_thread_and_no_torch(functions):
    chunk = next(iter(tokenize_chunks([["text"]], CallableTokenizer("odd_words.threads"), Cleaning(), 2)))
    assert chunk.tokens == ["1", "False"]


def test_workers_import_nothing_heavy_before_they_start():
    heavy = "'torch', 'numpy', 'spacy', 'datasets'"
    code = f"import sys, sentexp.text.workers; print([m for m in ({heavy}) if m in sys.modules])"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, env=os.environ, capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr
