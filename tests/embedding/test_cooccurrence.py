"""Word vectors from the run's own text, against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.embedding.cooccurrence import cooccurrences, positive_information, ppmi_svd
from sentexp.errors import SentexpError
from sentexp.text.corpus import Corpus
from sentexp.text.vocabulary import Vocabulary

WORDS = 7


def corpus(reviews: list[list[int]]) -> Corpus:
    ids = torch.tensor([word for review in reviews for word in review], dtype=torch.int32)
    offsets = torch.tensor([0, *np.cumsum([len(review) for review in reviews])])
    return Corpus(ids, offsets, torch.zeros(len(reviews), dtype=torch.long), pad_index=1)


reviews = st.lists(st.lists(st.integers(0, WORDS - 1), max_size=9), max_size=6)


@settings(max_examples=60, deadline=None)
@given(reviews, reviews, st.integers(1, 5))
def test_neighbours_are_those_of_one_review_and_nearer_ones_count_more(first, second, window: int) -> None:
    expected = np.zeros((WORDS, WORDS))
    for review in [*first, *second]:
        for i, left in enumerate(review):
            for j, right in enumerate(review):
                if 0 < abs(i - j) <= window:
                    expected[left, right] += (window + 1 - abs(i - j)) / window
    found = cooccurrences([corpus(first), corpus(second)], WORDS, window)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5)


def test_positive_information_is_that_of_the_definition() -> None:
    counts = cooccurrences([corpus([[0, 1, 2, 3], [0, 1, 0, 1], [4, 5, 4]])], WORDS, 2)
    dense = counts.toarray()
    smoothed = dense.sum(0) ** 0.75
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.log(dense * smoothed.sum() / (dense.sum(1, keepdims=True) * smoothed))
    expected = np.where(dense > 0, np.maximum(whole, 0), 0)
    np.testing.assert_allclose(positive_information(counts).toarray(), expected, rtol=1e-5)


def vectors(corpora: dict[str, Corpus], seed: int = 0, dim: int = 3) -> torch.Tensor:
    vocabulary = Vocabulary(["<unk>", "<pad>", *(f"word{number}" for number in range(2, WORDS))])
    made = ppmi_svd(dim, 2, 0.1, False, vocabulary=vocabulary, corpora=corpora, seed=seed)
    return made.weight.detach()


TEXT = [[2, 3, 2, 3, 4], [5, 6, 5, 6, 2], [2, 4, 3]]


def test_words_in_the_same_company_have_near_vectors_of_the_size_asked_for() -> None:
    company = [[2, 4], [3, 4], [2, 5], [3, 5], [6, 0], [0, 6]]
    found = torch.nn.functional.normalize(vectors({"train": corpus(company)}))
    assert float(found[2] @ found[3]) > 0.95
    assert abs(float(found[2] @ found[4])) < 0.95
    assert float(vectors({"train": corpus(TEXT)})[2:].std()) == pytest.approx(0.1, rel=0.3)


def test_unlabelled_text_is_counted_and_the_text_of_the_judged_splits_is_not() -> None:
    train, more = corpus(TEXT), corpus([[2, 6, 2, 6]])
    alone = vectors({"train": train})
    assert not torch.equal(vectors({"train": train, "unlabelled": more}), alone)
    assert torch.equal(vectors({"train": train, "valid": more, "test": more}), alone)


def test_the_same_seed_gives_the_same_vectors_also_for_words_without_neighbours() -> None:
    text = {"train": corpus([[2, 3, 4, 5, 2, 4]])}
    first = vectors(text, seed=1)
    assert torch.equal(first, vectors(text, seed=1))
    assert first[6].abs().sum() > 0
    assert not torch.equal(first[6], vectors(text, seed=2)[6])


def test_more_numbers_than_words_are_refused() -> None:
    with pytest.raises(SentexpError, match=r"embedding\.dim=7: expected less than the 7 words"):
        vectors({"train": corpus(TEXT)}, dim=7)
