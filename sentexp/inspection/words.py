"""The words that set a label apart from the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from sentexp.text.cleaning import is_punctuation
from sentexp.text.corpus import Corpus
from sentexp.text.raw_tokens import ranges
from sentexp.text.vocabulary import Vocabulary

# Shapes: V tokens in the vocabulary, L labels that are counted, N reviews

MOST_LABELS = 20
"""Labels whose words are counted, the most frequent ones; all others are counted together."""
WORDS_PER_LABEL = 10
SHORTEST_COUNT = 3
"""Occurrences in the label from which on a word is shown."""
PRIOR = 1000.0
"""Tokens that the prior counts as much as; it keeps rare words from the top."""


@dataclass(frozen=True)
class Word:
    """A word and how far it sets its label apart."""

    word: str
    score: float
    """Logarithm of the odds in the label over the odds elsewhere, in standard deviations."""
    count: int
    """Occurrences in the label."""
    elsewhere: int
    """Occurrences in the other labels."""


def telling_words(
    corpus: Corpus, vocabulary: Vocabulary, names: Sequence[str], leave_out: Collection[str]
) -> dict[str, list[Word]]:
    """Return for each label, the most frequent first, up to WORDS_PER_LABEL words by falling score.

    The score is that of Monroe, Colaresi & Quinn (2008), "Fightin' Words", equation 22: log odds with a Dirichlet prior
    from all labels. Words in `leave_out` and punctuation are not shown.
    """
    labels = corpus.labels.numpy()
    sizes = np.bincount(labels, minlength=len(names))
    frequent = np.argsort(-sizes, kind="stable")[:MOST_LABELS]
    counts = _counts(corpus, labels, frequent, len(names), len(vocabulary))  # [L + 1, V]
    total = counts.sum(0)  # [V]
    shown = np.array([_is_shown(word, leave_out) for word in vocabulary.itos]) & (total > 0)
    prior = PRIOR * total / max(1, total.sum())  # [V]
    found = {}
    for place, label in enumerate(frequent.tolist()):
        if not sizes[label]:
            continue
        own, other = counts[place], total - counts[place]
        score = np.full(len(vocabulary), -np.inf)
        score[shown] = _scores(own[shown], other[shown], prior[shown], own.sum(), other.sum())
        best = np.argsort(-score, kind="stable")[:WORDS_PER_LABEL].tolist()
        found[names[label]] = [
            Word(vocabulary.itos[id], float(score[id]), int(own[id]), int(other[id]))
            for id in best
            if score[id] > 0 and own[id] >= SHORTEST_COUNT
        ]
    return found


def _counts(corpus: Corpus, labels: np.ndarray, frequent: np.ndarray, classes: int, size: int) -> np.ndarray:
    """Count each token per frequent label, and in the last row for all others, int64 [L + 1, V]."""
    slot = np.full(classes, len(frequent))
    slot[frequent] = np.arange(len(frequent))
    offsets = corpus.offsets.numpy()
    counts = np.zeros((len(frequent) + 1) * size, dtype=np.int64)
    for start, stop in ranges(offsets):
        ids = corpus.ids[offsets[start] : offsets[stop]].numpy()
        of_review = np.repeat(slot[labels[start:stop]], np.diff(offsets[start : stop + 1]))
        counts += np.bincount(of_review * size + ids, minlength=len(counts))
    return counts.reshape(-1, size)


def _scores(own: np.ndarray, other: np.ndarray, prior: np.ndarray, own_sum: int, other_sum: int) -> np.ndarray:
    # at least 1: where no other word is, the odds would be infinite
    with_prior = [
        np.log(count + prior) - np.log(np.maximum(words + PRIOR - count - prior, 1))
        for count, words in ((own, own_sum), (other, other_sum))
    ]
    return (with_prior[0] - with_prior[1]) / np.sqrt(1 / (own + prior) + 1 / (other + prior))


def _is_shown(word: str, leave_out: Collection[str]) -> bool:
    return not (word.lower() in leave_out or is_punctuation(word) or word.isspace())
