from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sentexp.embedding.table import OneHot
from sentexp.model.nb_ngrams import NbNgramsClassifier
from sentexp.text.corpus import Corpus
from sentexp.training.losses import class_weights

VOCABULARY = 6


def corpus_of(reviews: list[list[int]], labels: list[int]) -> Corpus:
    offsets = torch.tensor([0, *np.cumsum([len(review) for review in reviews])])
    ids = torch.tensor([id for review in reviews for id in review], dtype=torch.int32)
    return Corpus(ids, offsets, torch.tensor(labels), pad_index=1)


def random_corpus(count: int = 60, classes: int = 2, seed: int = 0) -> Corpus:
    draw = np.random.default_rng(seed)
    reviews = [draw.integers(0, VOCABULARY, draw.integers(1, 9)).tolist() for _ in range(count)]
    return corpus_of(reviews, [sum(review) % classes for review in reviews])


def grams(review: list[int], longest: int) -> set[tuple[int, ...]]:
    return {tuple(review[i : i + n]) for n in range(1, longest + 1) for i in range(len(review) - n + 1)}


def reviews_of(corpus: Corpus) -> list[list[int]]:
    return [corpus.ids[a:b].tolist() for a, b in zip(corpus.offsets, corpus.offsets[1:], strict=False)]


def batch_of(corpus: Corpus, filler: int = 0, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    width = int(corpus.lengths.max()) + extra
    rows = [review + [filler] * (width - len(review)) for review in reviews_of(corpus)]
    return torch.tensor(rows), corpus.lengths


def test_the_logits_are_those_of_the_formula():
    """The same model with sets and dictionaries in place of sorted keys."""
    corpus = random_corpus()
    model = NbNgramsClassifier(OneHot(VOCABULARY), 2, max_ngram=3, C=0.5)
    model.solve(corpus)

    sets = [grams(review, 3) for review in reviews_of(corpus)]
    names = sorted(set.union(*sets))
    features = np.array([[name in found for name in names] for found in sets], dtype=float)
    truth = corpus.labels.numpy() == 1
    own, others = 1 + features[truth].sum(0), 1 + features[~truth].sum(0)
    ratio = np.log(own / own.sum()) - np.log(others / others.sum())
    solver = LogisticRegression(C=0.5, solver="liblinear", dual=True, random_state=0, max_iter=1000)
    expected = solver.fit(features * ratio, truth).decision_function(features * ratio)

    assert len(model.keys) == len(names)
    np.testing.assert_allclose(model(*batch_of(corpus)).numpy(), expected, atol=0.01)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, VOCABULARY - 1), st.integers(0, 4), st.integers(1, 4))
def test_padding_never_changes_a_logit(filler, extra, longest):
    corpus = random_corpus()
    model = NbNgramsClassifier(OneHot(VOCABULARY), 2, max_ngram=longest)
    model.solve(corpus)
    together = model(*batch_of(corpus, filler, extra))
    alone = [model(torch.tensor([review]), torch.tensor([len(review)]))[0] for review in reviews_of(corpus)]
    torch.testing.assert_close(together, torch.stack(alone))


def test_an_ngram_that_training_lacks_and_one_that_repeats_change_nothing():
    corpus = corpus_of([[2, 3], [2, 4], [3, 3], [4, 4]] * 5, [1, 0, 1, 0] * 5)
    model = NbNgramsClassifier(OneHot(VOCABULARY), 2, max_ngram=1)
    model.solve(corpus)
    one, repeated, unknown = (
        model(torch.tensor([ids]), torch.tensor([len(ids)])) for ids in ([2, 3], [2, 3, 3, 2], [2, 5, 3])
    )
    torch.testing.assert_close(one, repeated)
    torch.testing.assert_close(one, unknown)
    assert one > 0 > model(torch.tensor([[4]]), torch.tensor([1]))


def test_more_classes_and_one_that_no_review_has():
    reviews = reviews_of(random_corpus(200))
    corpus = corpus_of(reviews, [2 if 2 in review else int(3 in review) for review in reviews])
    model = NbNgramsClassifier(OneHot(VOCABULARY), 4, max_ngram=3)
    model.solve(corpus)
    logits = model(*batch_of(corpus))
    assert logits.shape == (200, 4)
    assert (logits.argmax(1) == corpus.labels).float().mean() > 0.8
    assert not (logits.argmax(1) == 3).any()


def test_balanced_weights_answer_a_rare_class_more_often():
    corpus = random_corpus(200)
    rare = corpus.select(np.flatnonzero((corpus.labels.numpy() == 0) | (np.arange(200) % 8 == 0)))
    answers = []
    for weights in (None, class_weights("balanced", rare.labels)):
        model = NbNgramsClassifier(OneHot(VOCABULARY), 2, max_ngram=1)
        model.solve(rare, class_weights=weights)
        answers.append(int((model(*batch_of(corpus)) > 0).sum()))
    assert answers[0] < answers[1]


def test_rare_ngrams_can_be_left_out():
    corpus = corpus_of([[2, 3], [2, 4], [2, 5]], [1, 0, 1])
    model = NbNgramsClassifier(OneHot(VOCABULARY), 2, max_ngram=2, min_count=2)
    model.solve(corpus)
    assert model.keys.tolist() == [3]  # id 2, counted from 1


def test_weights_of_any_size_are_loaded():
    corpus = random_corpus()
    model = NbNgramsClassifier(OneHot(VOCABULARY), 2)
    model.solve(corpus)
    other = NbNgramsClassifier(OneHot(VOCABULARY), 2)
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(*batch_of(corpus)), model(*batch_of(corpus)))


def test_the_order_of_the_reviews_in_memory_is_the_same_run():
    first, second = (NbNgramsClassifier(OneHot(VOCABULARY), 2, seed=3) for _ in range(2))
    first.solve(random_corpus())
    second.solve(random_corpus())
    assert torch.equal(first.weight, second.weight)


@pytest.mark.parametrize(("size", "longest"), [(3_000_000, 3), (60_000, 4)])
def test_ngrams_that_cannot_be_told_apart_are_refused(size, longest):
    with pytest.raises(ValueError, match=f"max_ngram={longest}: too long for a vocabulary of {size:,} tokens"):
        NbNgramsClassifier(OneHot(size), 2, max_ngram=longest)


@pytest.mark.parametrize("classes", [2, 3])
def test_contributions_sum_to_the_logits_without_the_bias(classes):
    corpus = random_corpus(classes=classes)
    model = NbNgramsClassifier(OneHot(VOCABULARY), classes)
    model.solve(corpus)
    for review in [[3], [3, 3, 3], *reviews_of(corpus)]:
        ids = torch.tensor(review)
        logits = model(ids[None], torch.tensor([len(review)])).view(-1)
        torch.testing.assert_close(model.contributions(ids).sum(0), logits - model.bias, atol=1e-5, rtol=0)


def test_an_ngram_is_shared_by_the_tokens_of_its_occurrences():
    model = NbNgramsClassifier(OneHot(VOCABULARY), 2, max_ngram=2)
    base = VOCABULARY + 1
    model.keys, model.weight = torch.tensor([3, 3 * base + 4]), torch.tensor([[2.0, 8.0]])  # "2" and "2 3"
    assert model.contributions(torch.tensor([2, 3, 0, 2, 3])).view(-1).tolist() == [3.0, 2.0, 0.0, 3.0, 2.0]
