"""The linear baseline: n-grams weighted by naive Bayes, then logistic regression (Wang & Manning, 2012).

An n-gram counts once per review. Its feature is its log-count ratio, how much likelier it is in one class than in the
others; logistic regression weighs these features. It is solved, not trained in epochs.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sentexp.embedding.table import OneHot
from sentexp.errors import SentexpError
from sentexp.model.recurrent import check_lengths
from sentexp.text.corpus import Corpus

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Shapes: B reviews in a batch, T tokens in the longest of them, N reviews of a corpus, M tokens of a corpus,
#         F n-grams that occur in training, K logits per review (1 for two classes, C for more), V tokens in the
#         vocabulary

log = logging.getLogger(__name__)

NONE = torch.iinfo(torch.int64).max
"""Stands where a review has no n-gram; greater than every key."""


class NbNgramsClassifier(nn.Module):
    """Logistic regression on a review's distinct 1- to `max_ngram`-grams, weighted by naive Bayes.

    Of `embedding` only the size of the vocabulary is used. `C` is scikit-learn's inverse strength of regularization,
    `alpha` is added to every count. More than two classes are solved one against the rest.

    Raises ValueError for fewer than two classes and for n-grams that a 64-bit number cannot tell apart.
    """

    def __init__(
        self,
        embedding: nn.Module,
        num_classes: int,
        max_ngram: int = 3,
        min_count: int = 1,
        alpha: float = 1.0,
        C: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes={num_classes}: expected 2 or more")
        size: int = embedding.num_embeddings  # type: ignore[assignment]
        if (size + 1) ** max_ngram >= NONE:
            raise ValueError(f"max_ngram={max_ngram}: too long for a vocabulary of {size:,} tokens; expected less")
        self.num_classes = num_classes
        self.max_ngram = max_ngram
        self.min_count = min_count
        self.alpha = alpha
        self.C = C
        self.seed = seed
        self.embedding = OneHot(size)
        rows = 1 if num_classes == 2 else num_classes
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))     # [F], ascending
        self.register_buffer("weight", torch.empty(rows, 0))                # [K, F]
        self.register_buffer("bias", torch.zeros(rows))                     # [K]
        self.keys: Tensor
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits: [B] of class 1 for two classes, [B, C] for more.

        `ids` are token ids [B, T], right-padded with any id, `lengths` [B] the tokens of each review.
        Raises ValueError for an empty batch and for lengths outside 1..T.
        """
        check_lengths(lengths, *ids.shape)
        logits = self.bias.expand(ids.shape[0], -1)                         # [B, K]
        if len(self.keys):
            keys = self._distinct(ids, lengths.to(ids.device))              # [B, max_ngram * T]
            places = self._places(keys)                                     # [B, max_ngram * T]
            known = self.keys[places] == keys
            logits = logits + torch.stack([(row[places] * known).sum(1) for row in self.weight], 1)
        return logits.squeeze(1) if self.num_classes == 2 else logits       # [B] or [B, C]

    def solve(self, train: Corpus, *, class_weights: Tensor | None = None) -> None:
        """Find the weights for the reviews of `train`, with their labels.

        With `class_weights` [C], logistic regression weighs each review by its class.
        """
        features, keys = self._count(train)                                 # [N, F] of 0 and 1, [F]
        labels = train.labels.numpy()
        classes = [1] if self.num_classes == 2 else range(self.num_classes)
        weights = None if class_weights is None else class_weights.cpu().numpy()[labels]    # [N]
        solved = [self._one_against_the_rest(features, labels == label, weights) for label in classes]
        self.keys = torch.from_numpy(keys).to(self.keys.device)
        self.weight = torch.from_numpy(np.stack([weight for weight, _ in solved])).float().to(self.weight.device)
        self.bias = torch.tensor([bias for _, bias in solved], device=self.bias.device)

    def _one_against_the_rest(
        self, features: csr_matrix, truth: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, float]:
        """Return the weight of each n-gram [F] and the bias, from features [N, F], truth, bool [N], and the weight of
        each review [N]."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if truth.all() or not truth.any():  # a class that no review has is never the answer
            return np.zeros(features.shape[1]), 20.0 if truth.all() else -20.0
        own = self.alpha + np.asarray(features[truth].sum(0)).ravel()
        others = self.alpha + np.asarray(features[~truth].sum(0)).ravel()
        ratio = np.log(own / own.sum()) - np.log(others / others.sum())     # [F]
        weighted = features.copy()
        weighted.data = ratio[features.indices]
        solver = LogisticRegression(C=self.C, solver="liblinear", dual=True, random_state=self.seed, max_iter=1000)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ConvergenceWarning)
            solver.fit(weighted, truth, weights)
        if any(issubclass(warning.category, ConvergenceWarning) for warning in warned):
            log.warning("model: liblinear has not converged in %d rounds; a lower model.C helps", solver.max_iter)
        return solver.coef_[0] * ratio, float(solver.intercept_[0])

    def _count(self, corpus: Corpus) -> tuple[csr_matrix, np.ndarray]:
        """Return which n-gram each review has, of 0 and 1 [N, F], and the key of each n-gram, ascending [F]."""
        from scipy.sparse import csr_matrix

        tokens = corpus.ids.numpy().astype(np.int64) + 1                    # [M]
        lengths = corpus.lengths.numpy()
        rows = np.repeat(np.arange(len(lengths)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(rows))    # tokens up to the end of the review
        base = self.embedding.num_embeddings + 1
        keys, of_rows, last = [], [], np.zeros_like(tokens)
        for n in range(1, self.max_ngram + 1):
            following = np.zeros_like(tokens)
            following[: max(0, len(tokens) - n + 1)] = tokens[n - 1 :]
            last = last * base + following                                  # the n-gram that begins here
            keys.append(last[left >= n])
            of_rows.append(rows[left >= n])
        distinct, columns = np.unique(np.concatenate(keys), return_inverse=True)
        matrix = csr_matrix(
            (np.ones(len(columns), dtype=np.float64), (np.concatenate(of_rows), columns)),
            shape=(len(lengths), len(distinct)),
        )
        matrix.data[:] = 1  # an n-gram counts once per review
        if self.min_count > 1:
            kept = np.flatnonzero(np.asarray(matrix.sum(0)).ravel() >= self.min_count)
            if not len(kept):
                raise SentexpError(f"model.min_count={self.min_count}: no n-gram is in so many training reviews")
            matrix, distinct = matrix[:, kept], distinct[kept]
        return matrix, distinct

    def contributions(self, ids: Tensor) -> Tensor:
        """Share the weight of each n-gram of a review equally among the tokens of all its occurrences.

        From ids [T] to [T, K]; summed over the tokens, they are the logits without the bias.
        """
        shares = self.weight.new_zeros(len(ids), len(self.weight))          # [T, K]
        if not len(self.keys):
            return shares
        for n, keys in enumerate(self._keys(ids[None], torch.tensor([len(ids)], device=ids.device)), start=1):
            found = keys[0, : max(0, len(ids) - n + 1)]                     # [T - n + 1]
            distinct, which, times = found.unique(return_inverse=True, return_counts=True)
            places = self._places(distinct)
            known = self.keys[places] == distinct
            share = (self.weight[:, places] * known / (n * times)).t()[which]    # [T - n + 1, K]
            for step in range(n):
                shares[step : step + len(found)] += share
        return shares

    def _places(self, keys: Tensor) -> Tensor:
        """Return the place in `self.keys` of each key, and any place for one that is not there."""
        if not torch.compiler.is_compiling():
            return torch.searchsorted(self.keys, keys).clamp_(max=len(self.keys) - 1)
        last = self.keys.shape[0] - 1
        places, step = torch.zeros_like(keys), 1 << last.bit_length()
        while step := step // 2:  # bisection: ONNX has no such search
            further = (places + step).clamp(max=last)
            places = torch.where(self.keys[further] <= keys, further, places)
        return places

    def _keys(self, ids: Tensor, lengths: Tensor) -> list[Tensor]:
        """Return the key of the n-gram that begins at each token, or NONE: [B, T] for each n from 1."""
        tokens = ids.long() + 1
        left = lengths.unsqueeze(1) - torch.arange(ids.shape[1], device=ids.device)    # [B, T]
        found, last = [], torch.zeros_like(tokens)
        for n in range(1, self.max_ngram + 1):
            following = nn.functional.pad(tokens[:, n - 1 :], (0, min(n - 1, ids.shape[1])))
            last = last * (self.embedding.num_embeddings + 1) + following
            found.append(last.masked_fill(left < n, NONE))
        return found

    def _distinct(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the keys of each review's distinct n-grams, and NONE in the other places: [B, max_ngram * T]."""
        keys = torch.cat(self._keys(ids, lengths), 1).sort(1).values
        again = torch.zeros_like(keys, dtype=torch.bool)
        again[:, 1:] = keys[:, 1:] == keys[:, :-1]
        return keys.masked_fill(again, NONE)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Take over weights of any number of n-grams."""
        for name in ("keys", "weight"):
            if prefix + name in state:
                setattr(self, name, torch.empty_like(state[prefix + name], device=self.bias.device))
        super()._load_from_state_dict(state, prefix, *arguments)
