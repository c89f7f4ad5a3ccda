"""Word vectors from the run's own text: how often words stand near each other, in few dimensions.

The counts become positive pointwise mutual information, and a truncated singular value decomposition makes vectors of
it. Levy, Goldberg & Dagan (2015) compare this with word2vec and GloVe: with these settings it is as good.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from sklearn.utils.extmath import randomized_svd

from sentexp.embedding.table import Embedding, VocabularyLike, standard_normal
from sentexp.errors import SentexpError
from sentexp.text.corpus import Corpus

# Shapes: V tokens in the vocabulary, E embedding.dim, N_tokens tokens in all reviews of a corpus

log = logging.getLogger(__name__)

SPLITS = ("train", "unlabelled")
"""The splits whose words are counted: never those that the model is judged on."""

SMOOTHING = 0.75
"""Power of the counts of neighbours (Levy et al., 2015, section 3.2): rare ones would have too large values."""


def ppmi_svd(
    dim: int,
    window: int,
    std: float,
    freeze: bool,
    thaw_after: int | None = None,
    *,
    vocabulary: VocabularyLike,
    corpora: Mapping[str, Corpus],
    seed: int,
) -> Embedding:
    """Compute the vectors [V, E] of the words in the splits train and, where there is one, unlabelled.

    Words up to `window` tokens apart in a review are neighbours; those d apart count (window + 1 - d) / window.
    The numbers of all vectors together have the standard deviation `std`. Words without a neighbour get a random vector
    of that size. Takes about 12 (V + pairs of neighbours) bytes.

    Raises SentexpError if `dim` is not smaller than the vocabulary.
    """
    began = time.perf_counter()
    if dim >= len(vocabulary):
        raise SentexpError(f"embedding.dim={dim}: expected less than the {len(vocabulary):,} words of the vocabulary")
    counts = cooccurrences([corpora[split] for split in SPLITS if split in corpora], len(vocabulary), window)
    vectors = decomposed(positive_information(counts), dim, seed)
    weight = torch.from_numpy(vectors).float()
    met = weight.abs().sum(1) > 0
    if met.any():
        weight *= std / weight[met].std()
    weight[~met] = standard_normal(int((~met).sum()), dim, seed) * std
    log.info("embedding: from %s pairs of neighbours in %.1f s", f"{counts.nnz:,}", time.perf_counter() - began)
    return Embedding(weight, freeze=freeze, thaw_after=thaw_after)


def cooccurrences(corpora: list[Corpus], words: int, window: int) -> csr_array:
    """Count the neighbours of each token id, weighted by their distance: float32 [V, V], symmetric."""
    total = csr_array((words, words), dtype=np.float32)
    for corpus in corpora:
        ids = corpus.ids.numpy()
        review = np.repeat(np.arange(len(corpus), dtype=np.int32), corpus.lengths.numpy())  # [N_tokens]
        for distance in range(1, window + 1):
            together = review[distance:] == review[:-distance]
            left, right = ids[:-distance][together], ids[distance:][together]
            weight = np.full(len(left), (window + 1 - distance) / window, dtype=np.float32)
            total += coo_array((weight, (left, right)), shape=total.shape).tocsr()
    return (total + total.T).tocsr()


def positive_information(counts: csr_array) -> csr_array:
    """Return the pointwise mutual information, in nats, of words with their neighbours; 0 where it is negative."""
    of_word = counts.sum(1)
    of_neighbour = of_word**SMOOTHING
    found = counts.tocoo()
    rows, columns = found.coords
    expected = of_word[rows] * (of_neighbour[columns] / of_neighbour.sum())
    values = np.log(found.data / expected)
    kept = values > 0
    return coo_array((values[kept].astype(np.float32), (rows[kept], columns[kept])), shape=counts.shape).tocsr()


def decomposed(information: csr_array, dim: int, seed: int) -> np.ndarray:
    """Return the rows of U times the square roots of the `dim` largest singular values: float32 [V, E]."""
    left, values, _ = randomized_svd(information, dim, n_iter=2, random_state=seed)
    return np.asarray(left * np.sqrt(values))
