"""What is counted in each split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Shapes: N reviews of the split, C labels


@dataclass(frozen=True)
class SplitFacts:
    """The reviews of one split in numbers."""

    counts: np.ndarray
    """Reviews of each label, int64 [C]; zeros for unlabelled reviews."""
    lengths: np.ndarray
    """Tokens of each review after cleaning, before it is cut, int64 [N]; text.init_token and eos_token count."""
    unknown_share: float
    """Share of the tokens that are not in the vocabulary."""
    wordless: int
    """Reviews without a token after cleaning."""

    @property
    def labelled(self) -> bool:
        """True if its reviews have labels."""
        return bool(self.counts.any())

    def quantile(self, share: float) -> int:
        """Return the length that a `share` of the reviews have at most."""
        return int(np.quantile(self.lengths, share, method="higher"))

    def cut(self, bound: int) -> float:
        """Return the share of the reviews that have more than `bound` tokens."""
        return float((self.lengths > bound).mean())


def percent(share: float) -> str:
    """Return a share for people: 0.5 is `50 %`, what is below 10 % has a decimal."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
