"""The probability of one word among many, at a cost that hardly grows with the vocabulary: adaptive softmax.

A plain softmax over 87,000 words takes 28 times the operations of an LSTM of 512 units. Here the most frequent words
share the head with one entry per cluster of rarer words. A rare word's probability is that of its cluster times its own
within it, and the rarer the words of a cluster, the fewer features tell them apart (Grave et al., 2017). It is exact:
all probabilities sum to 1.

Losses and gradients are computed together, for some rows at a time, so that the logits of all rows never exist at once:
half of the time on a CPU, where they would leave the cache, and a fraction of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sentexp.model.pooling import at_least_float32

# Shapes: N rows, F features, V tokens in the vocabulary, K clusters, C classes of one softmax

SHRINK = 4
"""Each cluster has so many times fewer features than the one before it."""

NARROWEST = 16
"""Features that a cluster has at least."""

LOGITS_AT_ONCE = {"cpu": 2**19, "cuda": 2**26}
"""Logits of the rows that are computed at a time: as many as stay in a CPU's cache, as many as fill a GPU."""

FEWEST_ROWS = 64
"""Rows computed at a time at least: for each, all weights are read once."""


class AdaptiveSoftmax(nn.Module):
    """The loss of predicting token ids, which are sorted by falling frequency, from features.

    `cutoffs` are the first ids of the clusters, in ascending order; those of V and more are left out. Without any it is
    a plain softmax. Raises ValueError for cutoffs that are not above 0 and ascending.

        softmax = AdaptiveSoftmax(512, 25_000, cutoffs=[1000, 4000, 12_000])
        softmax(features, targets)  # sum over all rows of -log p(target), in nats
    """

    def __init__(self, num_features: int, num_tokens: int, cutoffs: Sequence[int] = ()) -> None:
        super().__init__()
        if any(low >= high for low, high in pairwise([0, *cutoffs])):
            raise ValueError(f"cutoffs={list(cutoffs)}: expected numbers above 0 in ascending order")
        *firsts, _ = self.bounds = [*(cutoff for cutoff in cutoffs if cutoff < num_tokens), num_tokens]
        widths = [max(NARROWEST, num_features // SHRINK ** (number + 1)) for number in range(len(firsts))]
        self.head = nn.Linear(num_features, self.bounds[0] + len(firsts))
        self.projections = nn.ModuleList(nn.Linear(num_features, width, bias=False) for width in widths)
        self.tails = nn.ModuleList(
            nn.Linear(width, end - first, bias=False)
            for width, (first, end) in zip(widths, pairwise(self.bounds), strict=True)
        )

    def forward(self, features: Tensor, targets: Tensor) -> Tensor:
        """Sum -log p(target) in nats over features [N, F] and token ids [N]: no dimensions, float32 or wider.

        Products are computed in the type of the features.
        """
        of_head = targets                                                      # [N]
        loss = at_least_float32(features.new_zeros(()))
        for number, (first, end) in enumerate(pairwise(self.bounds)):
            inside = (targets >= first) & (targets < end)                      # [N]
            of_head = of_head.masked_fill(inside, self.bounds[0] + number)
            rows = inside.nonzero().squeeze(1)  # without one, the gradients are zero
            projection, tail = (part[number].get_parameter("weight") for part in (self.projections, self.tails))
            narrow = F.linear(features.index_select(0, rows), projection.to(features.dtype))
            loss = loss + linear_cross_entropy(narrow, tail, None, targets[rows] - first)
        return loss + linear_cross_entropy(features, self.head.weight, self.head.bias, of_head)

    def extra_repr(self) -> str:
        return f"bounds={self.bounds}"


def linear_cross_entropy(inputs: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """Sum over the rows the cross-entropy of softmax(inputs @ weight.T + bias) [N, C] and targets [N], in nats.

    The loss is float32 or wider, products are computed in the type of `inputs` [N, F]. It has first derivatives only.
    As F.cross_entropy over F.linear, but without all logits at once.
    """
    if torch.is_grad_enabled():
        loss: Tensor = _LinearCrossEntropy.apply(inputs, weight, bias, targets)
        return loss
    loss = at_least_float32(inputs.new_zeros(()))
    for losses, *_ in _some_rows(inputs, weight, bias, targets):
        loss += losses.sum()
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
        by_inputs, by_weight = torch.empty_like(inputs), torch.zeros_like(weight)
        by_bias = None if bias is None else torch.zeros_like(bias)
        own = weight.to(inputs.dtype)
        loss = at_least_float32(inputs.new_zeros(()))
        for losses, logs, rows in _some_rows(inputs, own, bias, targets):
            loss += losses.sum()
            slopes = logs.exp_()                                               # by the logits [R, C]
            slopes.scatter_add_(1, targets[rows].unsqueeze(1), slopes.new_full((len(slopes), 1), -1))
            if by_bias is not None:
                by_bias += slopes.sum(0)
            slopes = slopes.to(inputs.dtype)
            torch.mm(slopes, own, out=by_inputs[rows])
            by_weight += slopes.t() @ inputs[rows]
        ctx.save_for_backward(by_inputs, by_weight, by_bias)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        by_inputs, by_weight, by_bias = ctx.saved_tensors
        of_bias = None if by_bias is None else by_bias * gradient
        return by_inputs * gradient.to(by_inputs.dtype), by_weight * gradient, of_bias, None


def _some_rows(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
) -> Iterator[tuple[Tensor, Tensor, slice]]:
    """Yield the losses [R] and log-probabilities [R, C] of some rows at a time, and which rows these are."""
    weight, bias = weight.to(inputs.dtype), None if bias is None else bias.to(inputs.dtype)
    count = max(FEWEST_ROWS, LOGITS_AT_ONCE[inputs.device.type] // len(weight))
    for start in range(0, len(inputs), count):
        rows = slice(start, start + count)
        logs = at_least_float32(F.linear(inputs[rows], weight, bias)).log_softmax(1)  # [R, C]
        yield -logs.gather(1, targets[rows].unsqueeze(1)).squeeze(1), logs, rows
