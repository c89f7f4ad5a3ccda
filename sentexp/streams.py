"""From encoded corpora to streams of text: reviews end to end, read side by side in segments, as language models do.

    review 7 <eos> review 2 <eos> review | 9 <eos> review 4 <eos> ...      two streams, one after the other in the text
    [segment 0][segment 1][segment 2] ...  [segment 0][segment 1] ...      segment k of all streams is read together

What a reader knows at the end of a segment it carries into the next one of the same stream. The order of the reviews is
a function of (seed, pass) alone. Nothing here loops over single reviews in Python, and a corpus in files stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sentexp.batches import seed_of
from sentexp.text.corpus import Corpus

# Shapes: N reviews of all corpora, N_tokens tokens in them, S streams, D directions (1 or 2), L tokens of a segment


class Streams:
    """`count` S streams through the reviews of all `corpora`, in segments of `length` L tokens.

    The second of two `directions` reads each stream from its end. The fewer than S tokens that are left at the end of
    the last review are not read. Raises ValueError for streams of fewer than two tokens.

        streams = Streams([train, unlabelled], count=64, length=100)
        for ids in streams.read(streams.order(seed=0, number=1)):  # [64, 1, 101]
            ...
    """

    def __init__(self, corpora: Sequence[Corpus], *, count: int, length: int, directions: int = 1) -> None:
        self._corpora = corpora
        firsts = torch.tensor([0, *(len(corpus.ids) for corpus in corpora)]).cumsum(0)
        self._firsts = firsts.tolist()
        self._starts = torch.cat([corpus.offsets[:-1] + first for corpus, first in zip(corpora, firsts, strict=False)])
        self._lengths = torch.cat([corpus.lengths for corpus in corpora])
        self.count = count
        self.length = length
        self.directions = directions
        self.tokens = int(firsts[-1]) // count
        """Tokens of each stream."""
        if self.tokens < 2:
            raise ValueError(f"{count} streams through {int(firsts[-1])} tokens: expected two tokens or more in each")

    @property
    def predicted(self) -> int:
        """Tokens that are predicted in a pass, in all directions and streams: all but the first of each."""
        return self.directions * self.count * (self.tokens - 1)

    @property
    def segments(self) -> int:
        """Segments in a stream; the last one may be shorter."""
        return -(-(self.tokens - 1) // self.length)

    def order(self, seed: int, number: int) -> Tensor:
        """Draw the order of the reviews in pass `number`, counted from 1: int64 [N]."""
        generator = torch.Generator().manual_seed(seed_of(seed, number))
        return torch.randperm(len(self._lengths), generator=generator)

    def read(self, order: Tensor | None = None, *, first: int = 0, rank: int = 0, size: int = 1) -> Iterator[Tensor]:
        """Yield the segments from number `first` on, of reviews in `order`: token ids, int64 [S, D, L+1] on the CPU.

        The last id of a segment is the first of the next one. Without `order` the reviews stand as in the corpora. With
        `size` processes, only the streams of process `rank` are read.
        """
        starts, lengths = self._starts, self._lengths
        if order is not None:
            starts, lengths = starts[order], lengths[order]
        ends = lengths.cumsum(0)  # [N], in the text end to end
        shift = starts - (ends - lengths)  # [N], from there to the corpora
        stream = self.tokens * torch.arange(rank, self.count, size).view(-1, 1, 1)  # [S, 1, 1]
        for number in range(first, self.segments):
            start = number * self.length
            step = torch.arange(start, min(start + self.length, self.tokens - 1) + 1)  # [L+1]
            mirrored = torch.stack([step, self.tokens - 1 - step][: self.directions])  # [D, L+1]
            places = stream + mirrored  # [S, D, L+1]
            yield self._ids(places + shift[torch.searchsorted(ends, places, right=True)])

    def _ids(self, places: Tensor) -> Tensor:
        """Look up the ids at `places` among those of all corpora."""
        ids = torch.empty_like(places)
        for corpus, first in zip(self._corpora, self._firsts, strict=False):
            inside = (places >= first) & (places < first + len(corpus.ids))
            ids[inside] = corpus.ids[places[inside] - first].long()
        return ids
