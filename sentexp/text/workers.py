"""Chunks of texts read by several processes at once, the results in order, and few of them in memory."""

# Imported by every worker before it can say how many threads numpy may start: nothing heavy here.
from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING, Any

from sentexp.errors import SentexpError
from sentexp.text.cleaning import Cleaning
from sentexp.text.spacy_tokenizer import SpacyTokenizer
from sentexp.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from sentexp.text.chunk_tokenizer import Chunk

CHUNKS_PER_PROCESS = 3
"""Chunks under way for each process: one being read, one waiting, one read and waiting for its turn."""


def read_all(
    chunks: Iterable[Sequence[str]], tokenizer: Tokenizer, cleaning: Cleaning, processes: int
) -> Iterator[Chunk]:
    """What a reader makes of each chunk of texts, in their order; with one process, in this one.

    Raises SentexpError if a process ends by itself, and what the tokenizer raises. However the iteration ends, the
    processes end with it.
    """
    if processes <= 1 or multiprocessing.current_process().daemon:  # a daemon may have no children
        from sentexp.text.chunk_tokenizer import reader

        here = reader(tokenizer, cleaning)
        yield from (here.read(texts) for texts in chunks)
        return

    context = _Context()
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(tokenizer, cleaning))
    under_way: deque[Future[Chunk]] = deque()
    finished = False
    try:
        for texts in chunks:
            under_way.append(pool.submit(_read, texts))
            if len(under_way) >= CHUNKS_PER_PROCESS * processes:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
        finished = True
    except BrokenProcessPool as error:
        raise SentexpError(
            "a process that tokenizes ended by itself: was it out of memory, or is this a script without "
            "`if __name__ == '__main__':`?"
        ) from error
    finally:
        if not finished:  # a tokenizer may take for ever
            for process in context.started:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


class _Context(SpawnContext):
    """Fresh processes: a fork of one with threads, as torch has them, can hang. Remembers those that it started."""

    def __init__(self) -> None:
        self.started: list[Any] = []

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        process = SpawnContext.Process(*args, **kwargs)
        self.started.append(process)
        return process


_reader: Any = None


def _start(tokenizer: Tokenizer, cleaning: Cleaning) -> None:
    """Once in each worker."""
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    if isinstance(tokenizer, SpacyTokenizer):
        _without_frameworks()
    from sentexp.text.chunk_tokenizer import reader

    _reader = reader(tokenizer, cleaning)


def _read(texts: Sequence[str]) -> Chunk:
    return _reader.read(texts)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _without_frameworks() -> None:
    """spaCy imports torch and others where they are installed, which takes longer than all its tokenizer needs.

    Not where another package adds to spaCy, since that may want them.
    """
    if not importlib.metadata.entry_points(group="spacy_factories"):
        for name in ("torch", "tensorflow", "mxnet", "cupy"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]
