from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.inspection.words import MOST_LABELS, telling_words
from sentexp.text.corpus import Corpus
from sentexp.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["<unk>", "<pad>", "good", "bad", "film", "the", "!"])


def corpus(reviews: list[tuple[list[int], int]]) -> Corpus:
    ids = torch.tensor([id for tokens, _ in reviews for id in tokens], dtype=torch.int32)
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum([len(tokens) for tokens, _ in reviews])]))
    return Corpus(ids, offsets, torch.tensor([label for _, label in reviews]), pad_index=1)


def test_the_words_of_a_label_are_those_that_the_others_lack() -> None:
    reviews = [([5, 4, 2, 6], 1)] * 20 + [([5, 4, 3, 6, 6], 0)] * 30
    found = telling_words(corpus(reviews), VOCABULARY, ["neg", "pos"], {"the", "<unk>", "<pad>"})
    assert list(found) == ["neg", "pos"]
    assert [word.word for word in found["neg"]] == ["bad"]
    assert found["pos"][0].word == "good"
    assert (found["pos"][0].count, found["pos"][0].elsewhere) == (20, 0)
    assert all(word.score > 0 for words in found.values() for word in words)


def test_a_word_that_is_met_once_is_not_shown() -> None:
    assert telling_words(corpus([([2], 0), ([3], 1)]), VOCABULARY, ["neg", "pos"], ()) == {"neg": [], "pos": []}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.integers(0, 40)), min_size=1))
def test_counts_are_those_of_the_reviews_however_many_labels(reviews) -> None:
    names = [f"label {number}" for number in range(41)]
    found = telling_words(corpus(reviews), VOCABULARY, names, {"the"})
    assert len(found) == min(MOST_LABELS, len({label for _, label in reviews}))
    for name, words in found.items():
        for word in words:
            id = VOCABULARY.stoi[word.word]
            own = sum(tokens.count(id) for tokens, label in reviews if names[label] == name)
            assert (word.count, word.elsewhere) == (own, sum(tokens.count(id) for tokens, _ in reviews) - own)
            assert word.word not in ("the", "!")
