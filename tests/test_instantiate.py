from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.instantiate import build, build_model, build_pipeline
from sentexp.text.cleaning import Cleaning
from sentexp.text.tokenizers import WhitespaceTokenizer
from sentexp.text.vocabulary import Vocabulary

CONFIG: dict[str, Any] = {
    "text": {
        "clean": {"html": True, "lowercase": True, "punctuation": False, "numbers": False, "stop_words": False,
                  "lemmas": False},
        "init_token": "<sos>", "eos_token": None, "max_length": 5, "truncate": "tail", "head_fraction": 0.25,
        "fix_length": None,
    },
    "tokenizer": {"_target_": "sentexp.text.tokenizers.WhitespaceTokenizer"},
    "vocab": {"max_size": 10, "min_freq": 1, "specials": ["<unk>", "<pad>", "<sos>"]},
    "model": {
        "_target_": "sentexp.model.classifier.RecurrentClassifier", "cell": "lstm", "hidden_size": 4, "num_layers": 1,
        "bidirectional": True, "dropout": 0.0, "pooling": "max", "word_dropout": 0.0, "embedding_dropout": 0.0,
        "output_dropout": 0.0, "ignore_padding": True,
    },
}  # fmt: skip


def test_the_pipeline_is_that_of_the_configuration() -> None:
    vocabulary = Vocabulary(["<unk>", "<pad>", "<sos>", "good", "bad"])
    pipeline = build_pipeline(CONFIG, vocabulary)
    assert pipeline.clean == Cleaning(**CONFIG["text"]["clean"])
    assert isinstance(pipeline.tokenizer, WhitespaceTokenizer)
    assert pipeline.encode(["Good bad b c d e"]).ids.tolist() == [2, 0, 0, 0, 0]
    assert CONFIG["text"]["clean"]  # the configuration itself is left as it was


def test_the_model_is_that_of_the_configuration_on_the_embedding_given() -> None:
    embedding = Embedding(torch.zeros(5, 3))
    model = build_model(CONFIG, embedding, num_classes=3, unk_index=0)
    assert model.embedding is embedding
    assert model(torch.tensor([[1, 2]]), torch.tensor([2])).shape == (1, 3)


@dataclass
class Kept:
    runtime: Any
    values: list[int]


@dataclass
class Facts:
    number: int


def test_what_is_given_at_run_time_reaches_the_target_as_it_is() -> None:
    facts = Facts(3)
    built = build({"_target_": f"{__name__}.Kept", "values": [1, 2]}, runtime=facts)
    assert built.runtime is facts
    assert type(built.values) is list


@pytest.mark.parametrize("target", ["sentexp.model.classifier.NoSuchClass", "no_such_package.thing", "plain"])
def test_a_target_that_cannot_be_imported_is_refused_by_name(target: str) -> None:
    with pytest.raises(SentexpError, match=rf"^_target_={target}: [^\n]*$"):
        build({"_target_": target})
