"""Pooling over time: from one vector per token to one vector per review; padding never counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sentexp.errors import did_you_mean

# Shapes: B reviews in a batch, T tokens in the longest of them, F features (of a recurrent layer D*H, directions times
# hidden_size)

POOLINGS = ("last", "max", "mean", "concat", "attention")


class Pooling(nn.Module):
    """`last`, `max`, `mean`, `concat` (the three side by side) or `attention` (a mean with learned weights).

    `output_size` is the size of the pooled vector. Attention scores the tanh of each output by a learned vector and
    takes the softmax of the scores over the review's own tokens: Zhou et al. (2016), section 3.3.
    Raises ValueError for an unknown `kind`.
    """

    def __init__(self, kind: str, size: int) -> None:
        super().__init__()
        if kind not in POOLINGS:
            raise ValueError(f"pooling={kind}: not one of {', '.join(POOLINGS)}{did_you_mean(kind, POOLINGS)}")
        self.kind = kind
        self.output_size = 3 * size if kind == "concat" else size
        if kind == "attention":
            self.score = nn.Linear(size, 1, bias=False)

    def forward(self, outputs: Tensor, last: Tensor, lengths: Tensor) -> Tensor:
        """Pool `outputs` [B, T, F], with the `last` states [B, F] and lengths [B]: [B, output_size]."""
        if self.kind == "last":
            return last                                                        # [B, F]
        if self.kind == "max":
            return masked_max(outputs, lengths)                                # [B, F]
        if self.kind == "mean":
            return masked_mean(outputs, lengths)                               # [B, F]
        if self.kind == "concat":
            return torch.cat([last, masked_max(outputs, lengths), masked_mean(outputs, lengths)], dim=1)  # [B, 3*F]
        scores = F.linear(outputs.tanh(), self.score.weight.to(outputs.dtype)).squeeze(2)  # [B, T]
        shares = at_least_float32(scores).masked_fill(~own_tokens(outputs, lengths), -torch.inf).softmax(1)  # [B, T]
        return weighted_sum(outputs, shares)                                   # [B, F]

    def extra_repr(self) -> str:
        return self.kind


def own_tokens(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Return True where `vectors` [B, T, ...] hold a review's own token and False where they hold padding: [B, T]."""
    return torch.arange(vectors.shape[1], device=vectors.device) < lengths.unsqueeze(1)


def masked_max(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Take the maximum of each feature over a review's own tokens: [B, T, F], lengths [B] -> [B, F]."""
    # Adding 0 or -inf gives what masked_fill gives, several times faster on a CPU.
    floor = torch.zeros_like(vectors[:, :, :1]).masked_fill(~own_tokens(vectors, lengths).unsqueeze(2), -torch.inf)
    masked = vectors + floor
    # max remembers the indices, which its gradient needs; amax gives the same values about ten times faster on a CPU.
    return masked.max(1).values if torch.is_grad_enabled() else masked.amax(1)


def masked_sum(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Sum each feature over a review's own tokens: [B, T, F], lengths [B] -> [B, F]."""
    return weighted_sum(vectors, own_tokens(vectors, lengths))


def masked_mean(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Average each feature over a review's own tokens: [B, T, F], lengths [B] -> [B, F], in float32 or wider."""
    return at_least_float32(masked_sum(vectors, lengths)) / lengths.unsqueeze(1)


def weighted_sum(vectors: Tensor, weights: Tensor) -> Tensor:
    """Sum the vectors [B, T, F] times their weights [B, T]: [B, F], by one small matrix product per review."""
    return torch.bmm(weights.unsqueeze(1).to(vectors.dtype), vectors).squeeze(1)


def at_least_float32(values: Tensor) -> Tensor:
    """Return `values` in float32, or in float64 if they are float64."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
