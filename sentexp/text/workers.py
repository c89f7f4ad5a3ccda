"""Tokenize chunks of texts in several processes at once: the results in order, and few of them in memory."""

# Every worker imports this module before it can limit numpy's threads: import nothing heavy here.
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
from typing import TYPE_CHECKING, Any

from sentexp.errors import SentexpError
from sentexp.machine.children import RememberingContext, end_with_parent
from sentexp.text.cleaning import Cleaning
from sentexp.text.spacy_tokenizer import SpacyTokenizer
from sentexp.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from sentexp.text.chunk_tokenizer import TokenizedChunk

CHUNKS_PER_PROCESS = 3
"""Chunks under way per process: one being tokenized, one waiting, one tokenized and waiting for its turn."""

PATIENCE = 2.0
"""Seconds that workers get to end when the iteration is given up; a tokenizer may take for ever."""


def tokenize_chunks(
    chunks: Iterable[Sequence[str]], tokenizer: Tokenizer, cleaning: Cleaning, processes: int
) -> Iterator[TokenizedChunk]:
    """Tokenize chunks in order, in `processes` workers, or in this process if 0.

    Raises SentexpError if a worker dies, and what the tokenizer raises. However the iteration ends, so do the workers.
    """
    if processes == 0 or multiprocessing.current_process().daemon:  # a daemon may have no children
        from sentexp.text.chunk_tokenizer import chunk_tokenizer

        here = chunk_tokenizer(tokenizer, cleaning)
        yield from (here.tokenize(texts) for texts in chunks)
        return

    context = RememberingContext()
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(tokenizer, cleaning))
    under_way: deque[Future[TokenizedChunk]] = deque()
    finished = False
    try:
        for texts in chunks:
            under_way.append(pool.submit(_tokenize, texts))
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
        if not finished:
            # why not at once: the pool would wait for ever for the rest of a result that a worker was writing
            ending = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}, daemon=True)
            ending.start()
            context.end(PATIENCE)
            ending.join()
        pool.shutdown()


_chunk_tokenizer: Any = None


def _start(tokenizer: Tokenizer, cleaning: Cleaning) -> None:
    """Set a worker up; called once in each."""
    global _chunk_tokenizer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends the workers
    end_with_parent()
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    if isinstance(tokenizer, SpacyTokenizer):
        _hide_frameworks()
    from sentexp.text.chunk_tokenizer import chunk_tokenizer

    _chunk_tokenizer = chunk_tokenizer(tokenizer, cleaning)


def _tokenize(texts: Sequence[str]) -> TokenizedChunk:
    return _chunk_tokenizer.tokenize(texts)


def _hide_frameworks() -> None:
    """Keep spaCy from importing torch and others, which takes longer than everything that its tokenizer needs.

    Not if another package adds to spaCy, since that may need them.
    """
    if not importlib.metadata.entry_points(group="spacy_factories"):
        for name in ("torch", "tensorflow", "mxnet", "cupy"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]
