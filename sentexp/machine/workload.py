"""The size of a training, and whether it is large enough for further processes to pay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

START_SECONDS = 6.0
"""Cost of a further process before its first step: importing torch, mapping the corpus, meeting the others."""

FLOP_PER_SECOND_PER_CORE = 6e10
"""Upper estimate of one core's training FLOP/s, so that extra processes are not oversold."""

FLOP_PER_TOKEN_AND_PARAMETER = 6
"""A multiplication and an addition in the forward pass, twice as much in the backward pass."""

SUMMED_BYTES_PER_SECOND = 2e9
"""Rate at which the processes of one machine add up their gradients over gloo."""

BYTES_PER_GRADIENT = 4
"""A gradient is float32."""

MIN_REVIEWS_PER_SHARE = 16
"""Reviews of a batch below which a process's share is too small to keep its core busy."""


@dataclass(frozen=True)
class Workload:
    """The size of a training, from which `processes=auto` tells whether further processes pay."""

    tokens: int
    """Tokens to train on, over all epochs."""
    steps: int
    """Steps, over all epochs."""
    batch: int
    """Reviews per batch."""
    multiplied: int
    """Parameters that each token is multiplied with: all but the word vectors."""
    shared: int
    """Parameters whose gradients the processes add up at each step."""

    @staticmethod
    def of(
        model: nn.Module,
        lengths: torch.Tensor,
        *,
        epochs: int,
        batch_size: int | None,
        max_tokens: int | None,
    ) -> Workload:
        """Estimate the size of training `model` on reviews with `lengths` [N]; the keywords are the `trainer` keys."""
        tokens = int(lengths.sum())
        multiplied, shared = sizes_of(model)
        mean = max(1.0, tokens / max(1, len(lengths)))
        batch = min(batch_size or len(lengths), int(max_tokens / mean) if max_tokens else len(lengths)) or 1
        return Workload(
            tokens=tokens * epochs,
            steps=-(-len(lengths) // batch) * epochs,
            batch=batch,
            multiplied=multiplied,
            shared=shared,
        )

    def processes(self, cores: int, threads: int, by: str) -> tuple[int, str]:
        """Return how many processes pay on `cores` cores, and why in one phrase; `by` says what bounds the cores."""
        count = min(cores // threads, max(1, self.batch // MIN_REVIEWS_PER_SHARE))
        if count == 1:
            return 1, f"1 (batches of {self.batch} reviews are too small to share)"
        flop = FLOP_PER_TOKEN_AND_PARAMETER * self.tokens * self.multiplied
        computing = flop / FLOP_PER_SECOND_PER_CORE / threads
        summing = self.steps * BYTES_PER_GRADIENT * self.shared / SUMMED_BYTES_PER_SECOND
        saved = computing * (1 - 1 / count) - summing - START_SECONDS
        if saved <= 0:
            return 1, f"1 (about {computing:.0f} s of arithmetic do not pay for starting {count})"
        return count, f"{count} ({by})"


def sizes_of(model: nn.Module) -> tuple[int, int]:
    """Count the parameters that each token is multiplied with, and those that have gradients."""
    vocabulary_size = getattr(getattr(model, "embedding", None), "num_embeddings", -1)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    multiplied = sum(parameter.numel() for parameter in trained if vocabulary_size not in parameter.shape)
    return multiplied, sum(parameter.numel() for parameter in trained)
