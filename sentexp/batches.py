"""From the flat encoded corpus to padded batches: which reviews go together, and their words as one
rectangle.

A plan is a list of row numbers for each batch. It is a function of (seed, epoch) alone, so that a run can be
repeated and, later, continued in the middle. Nothing here is done review by review in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy
import torch
from torch import Tensor

# Shapes: N reviews in the corpus, B reviews in a batch, T words in the longest of them

POOL = 100
"""Batches whose reviews are sorted together: enough for little padding, few enough to meet other reviews
each epoch."""

RESIDENT_SHARE = 0.25
"""Of the GPU's free memory, the share that a corpus may take to stay there."""


EVALUATION_BOUNDS = {"cpu": (64, 2**16), "cuda": (1024, 2**18)}
"""Reviews and padded words of a batch without gradients: on a CPU what stays in its cache, on a GPU what
fills it."""


class Encoded(Protocol):
    """What is read of a `sentexp.text.corpus.Corpus`."""

    @property
    def ids(self) -> Tensor: ...  # int32 [N_tokens]
    @property
    def offsets(self) -> Tensor: ...  # int64 [N + 1]
    @property
    def labels(self) -> Tensor: ...  # int64 [N]
    @property
    def lengths(self) -> Tensor: ...  # int64 [N]


class Batch(NamedTuple):
    ids: Tensor  # int64 [B, T], right-padded
    lengths: Tensor  # int64 [B]
    labels: Tensor  # int64 [B]


def seed_of(*place: int) -> int:
    """A seed for each place in a run, such as (seed, epoch): near places give unrelated seeds, each time
    the same."""
    return int(numpy.random.SeedSequence(place).generate_state(1, numpy.uint64)[0] >> numpy.uint64(1))


def plan(
    lengths: Tensor,
    *,
    batch_size: int | None,
    max_tokens: int | None = None,
    bucket: bool = True,
    seed: int,
    epoch: int,
    width: int | None = None,
) -> list[Tensor]:
    """Row numbers of each batch of one training epoch; each row of `lengths` [N] once, in an order of its
    own.

    `bucket` puts reviews of like length together (shuffled, sorted within pools of POOL batches, batches
    shuffled); without it batches are drawn at random. A batch holds at most `batch_size` reviews and at most
    `max_tokens` words with its padding, whichever is reached first, None being no bound; one review longer
    than `max_tokens` is a batch of its own. `width` is the width that all are padded to (text.fix_length).
    """
    generator = torch.Generator().manual_seed(seed_of(seed, epoch))
    order = torch.randperm(len(lengths), generator=generator)
    padded_lengths = _padded_lengths(lengths, width)
    if not bucket:
        return _cut(order, padded_lengths, batch_size, max_tokens)
    batches = []
    for pool in order.split(_pool_size(padded_lengths, batch_size, max_tokens)):
        pool = pool[lengths[pool].argsort(stable=True, descending=True)]
        batches += _cut(pool, padded_lengths, batch_size, max_tokens)
    shuffled = torch.randperm(len(batches), generator=generator)
    return [batches[number] for number in shuffled.tolist()]


def evaluation_plan(lengths: Tensor, *, device: torch.device | str, width: int | None = None) -> list[Tensor]:
    """Row numbers of each batch, longest reviews first: least padding, and memory runs out at once if it
    will.

    Batches are as large as suits the kind of device; see EVALUATION_BOUNDS.
    """
    batch_size, max_tokens = EVALUATION_BOUNDS[torch.device(device).type]
    order = lengths.argsort(stable=True, descending=True)
    return _cut(order, _padded_lengths(lengths, width), batch_size, max_tokens)


def _padded_lengths(lengths: Tensor, width: int | None) -> Tensor:
    return lengths.clamp(min=1) if width is None else torch.full_like(lengths, width)


def _pool_size(padded_lengths: Tensor, batch_size: int | None, max_tokens: int | None) -> int:
    if batch_size is not None:
        return POOL * batch_size
    assert max_tokens is not None, "a batch needs a bound: batch_size or max_tokens"
    mean = float(padded_lengths.double().mean()) if len(padded_lengths) else 1.0
    return max(1, int(POOL * max_tokens / mean))


def _cut(rows: Tensor, padded_lengths: Tensor, batch_size: int | None, max_tokens: int | None) -> list[Tensor]:
    """`rows` cut into batches, in their order, each as large as the bounds allow."""
    if max_tokens is None:
        assert batch_size is not None, "a batch needs a bound: batch_size or max_tokens"
        return list(rows.split(batch_size)) if len(rows) else []
    batches, start = [], 0
    lengths = padded_lengths[rows].numpy()
    while start < len(rows):
        most = max(1, max_tokens // int(lengths[start]))  # of any batch with this review in it
        window = lengths[start : start + (most if batch_size is None else min(most, batch_size))]
        words = numpy.maximum.accumulate(window) * numpy.arange(1, len(window) + 1)  # of the first 1, 2, ... reviews
        count = max(1, int((words <= max_tokens).sum()))
        batches.append(rows[start : start + count])
        start += count
    return batches


def gather(corpus: Encoded, rows: Tensor, pad_index: int, width: int | None = None) -> Batch:
    """The reviews `rows` [B] of the corpus as one batch, on the corpus's own device.

    T is `width`, or where that is None the longest of them (which on a GPU has to be waited for). Words
    beyond `width` are cut off.
    """
    starts = corpus.offsets[rows]  # [B]
    lengths = corpus.offsets[rows + 1] - starts  # [B]
    if width is None:
        width = max(1, int(lengths.max()))
    else:
        lengths = lengths.clamp(max=width)
    columns = torch.arange(width, device=rows.device)  # [T]
    inside = columns < lengths[:, None]  # [B, T]
    places = (starts[:, None] + columns).clamp_(max=len(corpus.ids) - 1)  # [B, T]
    ids = corpus.ids[places].long().masked_fill_(~inside, pad_index)  # [B, T]
    return Batch(ids, lengths, corpus.labels[rows])


class Batches:
    """One corpus as padded batches on `device`. On a GPU the corpus itself lives there where it fits.

    `width` pads every batch to one width (text.fix_length); None pads to the longest review of the batch.
    """

    def __init__(
        self, corpus: Encoded, *, pad_index: int, width: int | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self.corpus = corpus
        self.pad_index = pad_index
        self.width = width
        self.device = torch.device(device)
        self._source = _resident(corpus, self.device)

    def __len__(self) -> int:
        return len(self.corpus.labels)

    def of(self, planned: list[Tensor], *, rank: int = 0, size: int = 1) -> Iterator[Batch]:
        """The planned batches one by one; of `size` processes, the share of process `rank` of each.

        All shares of a batch have the batch's own width. A share is empty where a batch has fewer reviews
        than there are processes.
        """
        if not planned:
            return
        lengths = self.corpus.lengths
        here = self._source.offsets.device
        rows_here = torch.cat(planned).to(here)  # once an epoch, so that the loop need not wait for the GPU
        start = 0
        for rows in planned:
            width = self.width or max(1, int(lengths[rows].max()))
            share = rows_here[start + rank : start + len(rows) : size]
            start += len(rows)
            batch = gather(self._source, share, self.pad_index, width)
            yield batch if here == self.device else _copied(batch, self.device)


def _copied(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in batch))


class _OnDevice(NamedTuple):
    ids: Tensor
    offsets: Tensor
    labels: Tensor
    lengths: Tensor


def _resident(corpus: Encoded, device: torch.device) -> Encoded:
    if device.type != "cuda":
        return corpus
    free, _ = torch.cuda.mem_get_info(device)
    if corpus.ids.numel() * corpus.ids.element_size() > RESIDENT_SHARE * free:
        return corpus
    tensors = (corpus.ids, corpus.offsets, corpus.labels, corpus.lengths)
    return _OnDevice(*(tensor.to(device) for tensor in tensors))
