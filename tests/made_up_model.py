"""A trained model of random weights, which is as good as any other to save and to predict with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sentexp.books import Books, Texts
from sentexp.embedding.table import Embedding, OneHot
from sentexp.instantiate import build, build_pipeline
from sentexp.text.vocabulary import Vocabulary
from sentexp.trained_ensemble import Ensemble, Member
from sentexp.trained_model import TrainedModel

BASIC = {"_target_": "sentexp.text.tokenizers.BasicTokenizer"}
WHITESPACE = {"_target_": "sentexp.text.tokenizers.WhitespaceTokenizer"}

BOOKS = Books().seen_by("classifier", Texts("0" * 32, "train", "here", np.arange(5, dtype=np.uint64)), "vectors")

RECURRENT = {
    "_target_": "sentexp.model.classifier.RecurrentClassifier", "cell": "lstm", "hidden_size": 6, "num_layers": 2,
    "bidirectional": True, "dropout": 0.5, "pooling": "attention", "word_dropout": 0.1, "embedding_dropout": 0.1,
    "output_dropout": 0.5, "ignore_padding": True,
}  # fmt: skip
BAG_OF_WORDS = {
    "_target_": "sentexp.model.bag_of_words.BagOfWordsClassifier", "pooling": "mean", "word_dropout": 0.1,
    "embedding_dropout": 0.1, "output_dropout": 0.5,
}  # fmt: skip


def trained(
    model: dict[str, Any] = RECURRENT,
    labels: tuple[str, ...] = ("neg", "pos"),
    one_hot: bool = False,
    tokenizer: dict[str, Any] = BASIC,
    fix_length: int | None = None,
    books: Books | None = None,
) -> TrainedModel:
    config: dict[str, Any] = {
        "seed": 0,
        "text": {
            "clean": {"html": True, "lowercase": True, "punctuation": False, "numbers": False, "stop_words": False,
                      "lemmas": False},
            "init_token": None, "eos_token": None, "max_length": None, "truncate": "head", "head_fraction": 0.25,
            "fix_length": fix_length,
        },
        "tokenizer": tokenizer,
        "vocab": {"max_size": 10, "min_freq": 1, "specials": ["<unk>", "<pad>"]},
        "model": model,
        "tracking": {"uri": "mysql://a:secret@b/runs"},
    }  # fmt: skip
    torch.manual_seed(0)
    vocabulary = Vocabulary(["<unk>", "<pad>", "a", "good", "bad", "film", "not", "\u2028", "back\\slash"])
    embedding = OneHot(len(vocabulary)) if one_hot else Embedding(torch.randn(len(vocabulary), 5))
    network = build(model, embedding=embedding, num_classes=len(labels), unk_index=vocabulary.unk_index)
    return TrainedModel(build_pipeline(config, vocabulary), network, list(labels), config, books=books)


def ensemble(*weights: float, books: Books | None = None) -> Ensemble:
    """As many members as weights, which differ in kind, cleaning and tokens."""
    kinds = [trained(books=books), trained(BAG_OF_WORDS, tokenizer=WHITESPACE), trained(one_hot=True, fix_length=9)]
    members = [Member(kinds[number], weight, f"run {number}") for number, weight in enumerate(weights)]
    return Ensemble(members, "equal", {})
