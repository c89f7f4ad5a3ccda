"""From a flat encoded corpus to padded batches: which reviews go together, and their token ids as one rectangle.

A plan is a list with the row numbers of each batch. It is a function of (seed, epoch) alone, so that a run can be
repeated and, later, continued in the middle. Nothing here loops over single reviews in Python.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from sentexp.text.corpus import Corpus

# Shapes: N reviews in the corpus, B reviews in a batch, T tokens in the longest of them

BATCHES_PER_POOL = 100
"""Batches whose reviews are sorted together: enough for little padding, few enough to meet other reviews each epoch."""

RESIDENT_SHARE = 0.25
"""Share of the GPU's free memory that a corpus may take up to be kept there."""

EVALUATION_BOUNDS = {"cpu": (64, 2**16), "cuda": (1024, 2**18)}
"""Reviews and padded tokens per batch without gradients: as many as stay in a CPU's cache, as many as fill a GPU."""


class Batch(NamedTuple):
    ids: Tensor  # int64 [B, T], right-padded
    lengths: Tensor  # int64 [B]
    labels: Tensor  # int64 [B]


def seed_of(*place: int) -> int:
    """Return a seed for a place in a run, such as (seed, epoch).

    Near places give unrelated seeds; the same place always gives the same seed.
    """
    return int(numpy.random.SeedSequence(place).generate_state(1, numpy.uint64)[0] >> numpy.uint64(1))


def plan(
    corpus: Corpus,
    *,
    batch_size: int | None,
    max_tokens: int | None = None,
    bucket: bool = True,
    balanced: bool = False,
    seed: int,
    epoch: int,
) -> list[Tensor]:
    """Return the row numbers of each batch of one training epoch: each review once, in an order of its own per epoch.

    With `balanced` the epoch is as long, and each label has the same share of it: reviews of rarer labels come several
    times, of the others some are left out, other ones each epoch.

    `bucket` puts reviews of similar length together: it shuffles the reviews, sorts them within pools of
    BATCHES_PER_POOL batches, and shuffles the batches. Without it batches are drawn at random.

    A batch holds at most `batch_size` reviews and at most `max_tokens` tokens, padding included, whichever is reached
    first; None is no bound. A single review longer than `max_tokens` is a batch of its own.
    """
    generator = torch.Generator().manual_seed(seed_of(seed, epoch))
    order = torch.randperm(len(corpus), generator=generator)
    if balanced:
        order = _balanced(order, corpus.labels, generator)
    padded_lengths = _padded_lengths(corpus)
    if not bucket:
        return _cut(order, padded_lengths, batch_size, max_tokens)
    batches = []
    for pool in order.split(_pool_size(padded_lengths, batch_size, max_tokens)):
        pool = pool[corpus.lengths[pool].argsort(stable=True, descending=True)]
        batches += _cut(pool, padded_lengths, batch_size, max_tokens)
    shuffled = torch.randperm(len(batches), generator=generator)
    return [batches[number] for number in shuffled.tolist()]


def endless(plan_of: Callable[[int], list[Tensor]], *, first: int) -> Iterator[Tensor]:
    """Yield batch `first`, counted from 0, and all after it of pass 1, pass 2 and so on, each as `plan_of` plans it."""
    for number in itertools.count(1):
        planned = plan_of(number)
        yield from planned[first:]
        first = max(0, first - len(planned))


def _balanced(order: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draw as many rows as there are in `order`, an equal share per label; two rows of a label come as often, or once
    more."""
    present = labels.unique()
    shares = torch.full_like(present, len(order) // len(present))
    shares[torch.randperm(len(present), generator=generator)[: len(order) % len(present)]] += 1
    drawn = []
    for label, share in zip(present, shares.tolist(), strict=True):
        rows = order[labels[order] == label]
        rounds = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(-(-share // len(rows)))]
        drawn.append(torch.cat(rounds)[:share])
    rows = torch.cat(drawn)
    return rows[torch.randperm(len(rows), generator=generator)]


def evaluation_plan(corpus: Corpus, *, device: torch.device | str) -> list[Tensor]:
    """Return the row numbers of each batch, longest reviews first: least padding, and memory runs out at once or never.

    Batches are as large as suits the kind of device; see EVALUATION_BOUNDS.
    """
    batch_size, max_tokens = EVALUATION_BOUNDS[torch.device(device).type]
    order = corpus.lengths.argsort(stable=True, descending=True)
    return _cut(order, _padded_lengths(corpus), batch_size, max_tokens)


def _padded_lengths(corpus: Corpus) -> Tensor:
    if corpus.width is None:
        return corpus.lengths.clamp(min=1)
    return torch.full_like(corpus.lengths, corpus.width)


def _pool_size(padded_lengths: Tensor, batch_size: int | None, max_tokens: int | None) -> int:
    if batch_size is not None:
        return BATCHES_PER_POOL * batch_size
    assert max_tokens is not None, "a batch needs a bound: batch_size or max_tokens"
    mean = float(padded_lengths.double().mean()) if len(padded_lengths) else 1.0
    return max(1, int(BATCHES_PER_POOL * max_tokens / mean))


def _cut(rows: Tensor, padded_lengths: Tensor, batch_size: int | None, max_tokens: int | None) -> list[Tensor]:
    """Cut `rows` into batches, in their order, each as large as the bounds allow."""
    if max_tokens is None:
        assert batch_size is not None, "a batch needs a bound: batch_size or max_tokens"
        return list(rows.split(batch_size)) if len(rows) else []
    batches, start = [], 0
    lengths = padded_lengths[rows].numpy()
    while start < len(rows):
        most = max(1, max_tokens // int(lengths[start]))  # no batch with this review in it can hold more
        window = lengths[start : start + (most if batch_size is None else min(most, batch_size))]
        tokens = numpy.maximum.accumulate(window) * numpy.arange(1, len(window) + 1)  # in the first 1, 2, ... reviews
        count = max(1, int((tokens <= max_tokens).sum()))
        batches.append(rows[start : start + count])
        start += count
    return batches


def gather(corpus: Corpus, rows: Tensor, width: int | None = None) -> Batch:
    """Return the reviews `rows` [B] of the corpus as one batch of `width` T, on the corpus's own device.

    Without `width`, T is the corpus's width, or else the longest of these reviews (which makes a GPU wait). Tokens
    beyond T are cut off.
    """
    starts = corpus.offsets[rows]  # [B]
    lengths = corpus.offsets[rows + 1] - starts  # [B]
    width = width or corpus.width or max(1, int(lengths.max()))
    lengths = lengths.clamp(max=width)
    columns = torch.arange(width, device=rows.device)  # [T]
    inside = columns < lengths[:, None]  # [B, T]
    places = (starts[:, None] + columns).clamp_(max=len(corpus.ids) - 1)  # [B, T]
    ids = corpus.ids[places].long().masked_fill_(~inside, corpus.pad_index)  # [B, T]
    return Batch(ids, lengths, corpus.labels[rows])


class Batches:
    """A corpus as padded batches on `device`. On a GPU the corpus itself is kept there if it fits."""

    def __init__(self, corpus: Corpus, *, device: torch.device | str = "cpu") -> None:
        self.corpus = corpus
        self.device = torch.device(device)
        self._source = _resident(corpus, self.device)

    def __len__(self) -> int:
        return len(self.corpus)

    def of(self, planned: list[Tensor], *, rank: int = 0, size: int = 1) -> Iterator[Batch]:
        """Yield the planned batches one by one; with `size` processes, the share of process `rank` in each.

        All shares of a batch have the batch's own width. A share is empty if the batch has fewer reviews than there
        are processes.
        """
        if not planned:
            return
        here = self._source.offsets.device
        rows_here = torch.cat(planned).to(here)  # once per epoch, so that the loop need not wait for the GPU
        start = 0
        for rows in planned:
            width = self.corpus.width or max(1, int(self.corpus.lengths[rows].max()))
            share = rows_here[start + rank : start + len(rows) : size]
            start += len(rows)
            batch = gather(self._source, share, width)
            yield batch if here == self.device else _transferred(batch, self.device)


def _transferred(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in batch))


def _resident(corpus: Corpus, device: torch.device) -> Corpus:
    if device.type != "cuda":
        return corpus
    free, _ = torch.cuda.mem_get_info(device)
    if corpus.ids.numel() * corpus.ids.element_size() > RESIDENT_SHARE * free:
        return corpus
    return corpus.to(device)
