"""Word dropout: while training, some words become the unknown word, so that its vector is trained too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Shapes: B reviews in a batch, T tokens in the longest of them


class WordDropout(nn.Module):
    """Replaces each id by `unk_index` with probability `p` while training. After Iyyer et al. (2015), section 2.2."""

    def __init__(self, p: float, unk_index: int) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"word_dropout={p}: expected 0 or more and less than 1")
        self.p = p
        self.unk_index = unk_index

    def forward(self, ids: Tensor) -> Tensor:
        """Replace some of the token ids [B, T]; shape and type stay."""
        if not self.training or self.p == 0:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.p, self.unk_index)

    def extra_repr(self) -> str:
        return f"p={self.p}, unk_index={self.unk_index}"
