from __future__ import annotations

import numpy as np
import torch

from sentexp import baseline
from sentexp.baseline import Baselines, judge_baselines
from sentexp.text.corpus import Corpus
from sentexp.training import choose_machine

MACHINE = choose_machine(device="cpu", precision="fp32", processes=1)


def corpus_of(count: int, share: float, seed: int) -> Corpus:
    """Reviews of eight tokens; the label is 1 if token 5 is among them."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(6, 30, (count, 8))
    labels = (draw.random(count) < share).astype(int)
    ids[labels == 1, 3] = 5
    offsets = torch.arange(count + 1) * 8
    return Corpus(torch.tensor(ids.ravel(), dtype=torch.int32), offsets, torch.tensor(labels), pad_index=1)


def judged(train: Corpus, test: Corpus) -> Baselines:
    return judge_baselines(train, test, num_classes=2, vocabulary_size=30, machine=MACHINE)


def test_the_most_frequent_label_of_training_and_a_linear_model_are_judged_on_the_test():
    train, test = corpus_of(300, 0.3, 0), corpus_of(100, 0.6, 1)
    found = judged(train, test)
    assert found.majority == float((test.labels == 0).double().mean())
    assert found.linear > 0.95
    assert (found.reviews, found.whole) == (300, True)


def test_of_many_reviews_a_sample_is_used(monkeypatch):
    monkeypatch.setattr(baseline, "MOST_TOKENS", 1600)
    found = judged(corpus_of(1000, 0.5, 0), corpus_of(100, 0.5, 1))
    assert (found.reviews, found.whole) == (200, False)
    assert found.linear > 0.9


def test_a_sample_has_both_labels_however_they_are_ordered(monkeypatch):
    monkeypatch.setattr(baseline, "MOST_TRAIN", 200)
    train = corpus_of(400, 0.5, 0)
    ones, zeros = np.flatnonzero(train.labels.numpy() == 1), np.flatnonzero(train.labels.numpy() == 0)
    count = min(len(ones), len(zeros))
    alternating = train.select(np.stack([ones[:count], zeros[:count]], axis=1).ravel())
    assert judged(alternating, corpus_of(100, 0.5, 1)).linear > 0.9


def test_a_line_says_how_a_model_compares():
    found = Baselines(majority=0.5, linear=0.8, reviews=100, whole=True, seconds=0.1)
    assert found.compared(0.82).endswith("this model is 2.0 points above the linear one")
    assert found.compared(0.79).endswith("this model is 1.0 points BELOW the linear one")
    assert "trained on 100 reviews" in Baselines(0.5, 0.8, 100, False, 0.1).compared(0.8)
