"""What a run is compared with: the most frequent label, and a quick linear model on the same reviews."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from sentexp.data.splits import stratified
from sentexp.embedding.table import OneHot
from sentexp.evaluation import predict
from sentexp.machine.choose import Machine
from sentexp.model.nb_ngrams import NbNgramsClassifier
from sentexp.text.corpus import Corpus

# Shapes: N reviews of a split, V tokens in the vocabulary, C classes

MOST_TRAIN = 5000
"""Training reviews that the linear model is given at most, so that it takes seconds."""
MOST_TOKENS = 1_000_000
"""Tokens of these reviews at most, about; IMDB has 270 per review."""
MAX_NGRAM = 2


@dataclass(frozen=True)
class Baselines:
    """Test accuracies without a neural network."""

    majority: float
    """Test accuracy of always answering the label that most training reviews have."""
    linear: float
    """Test accuracy of logistic regression on 1- and 2-grams with naive-Bayes weights."""
    reviews: int
    """Training reviews that the linear model was given."""
    whole: bool
    """True if these are all."""
    seconds: float

    def compared(self, accuracy: float) -> str:
        """Return a line that says how a test accuracy compares."""
        better = 100 * (accuracy - self.linear)
        sample = "" if self.whole else f", trained on {self.reviews:,} reviews"
        return (
            f"beside it: most frequent label {self.majority:.4f}, linear model of 1- and 2-grams {self.linear:.4f}"
            f"{sample}; this model is {abs(better):.1f} points {'above' if better >= 0 else 'BELOW'} the linear one"
        )


def judge_baselines(
    train: Corpus, test: Corpus, *, num_classes: int, vocabulary_size: int, machine: Machine
) -> Baselines:
    """Judge both on `test`. The linear model sees the token ids that the model of the run sees."""
    began = time.perf_counter()
    labels = test.labels.numpy()
    frequent = np.bincount(train.labels.numpy(), minlength=num_classes).argmax()
    sample = _sample(train)
    model = NbNgramsClassifier(OneHot(vocabulary_size), num_classes, max_ngram=MAX_NGRAM)
    model.solve(sample)
    answers = predict(model.to(machine.device), test, machine=machine).answers.numpy()
    return Baselines(
        majority=float((labels == frequent).mean()),
        linear=float((labels == answers).mean()),
        reviews=len(sample),
        whole=len(sample) == len(train),
        seconds=time.perf_counter() - began,
    )


def _sample(corpus: Corpus) -> Corpus:
    """Return as many reviews as the two limits allow, each label in proportion."""
    tokens = max(1.0, float(corpus.lengths.double().mean()))
    count = int(min(len(corpus), MOST_TRAIN, max(MOST_TOKENS / tokens, 100)))
    if count == len(corpus):
        return corpus
    return corpus.select(stratified(corpus.labels.numpy(), count, seed=0))
