from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from sentexp.embedding.table import Embedding, OneHot
from sentexp.imports import import_object
from sentexp.instantiate import build
from sentexp.model.contract import Classifier
from sentexp.model.nb_ngrams import NbNgramsClassifier
from sentexp.schema import OPTIONS

VOCABULARY = 9
REVIEWS = [[3, 1, 4], [8], [5, 2, 6, 5, 3]]

MODELS = [import_object(option._target_) for option in OPTIONS["model"]]
EVERY_MODEL = pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
EVERY_EMBEDDING = pytest.mark.parametrize("one_hot", [False, True], ids=["vectors", "one_hot"])


def embedding_of(one_hot: bool) -> nn.Module:
    return OneHot(VOCABULARY) if one_hot else Embedding(torch.randn(VOCABULARY, 4))


def logits_of(model: Classifier, width: int, filler: int) -> torch.Tensor:
    ids = torch.tensor([review + [filler] * (width - len(review)) for review in REVIEWS])
    return model.forward(ids, torch.tensor([len(review) for review in REVIEWS]))


@EVERY_MODEL
@EVERY_EMBEDDING
def test_our_models_have_the_attribute_and_the_arguments(kind, one_hot):
    embedding = embedding_of(one_hot)
    model = build({"_target_": f"{kind.__module__}.{kind.__name__}"}, embedding=embedding, num_classes=2, unk_index=0)
    if kind is NbNgramsClassifier:  # it needs the size of the vocabulary alone
        assert isinstance(model.embedding, OneHot)
    else:
        assert model.embedding is embedding
    assert ("embedding.weight" in model.state_dict()) == (not isinstance(model.embedding, OneHot))
    stated = list(inspect.signature(Classifier.forward).parameters)
    assert list(inspect.signature(kind.forward).parameters) == stated == ["self", "ids", "lengths"]


@EVERY_MODEL
@EVERY_EMBEDDING
@pytest.mark.parametrize(("num_classes", "shape"), [(2, (3,)), (4, (3, 4))])
def test_our_models_logits_have_the_stated_shape_and_padding_never_changes_them(kind, one_hot, num_classes, shape):
    torch.manual_seed(0)
    target = f"{kind.__module__}.{kind.__name__}"
    model = build({"_target_": target}, embedding=embedding_of(one_hot), num_classes=num_classes, unk_index=0).eval()
    logits = logits_of(model, width=5, filler=1)
    assert logits.shape == shape
    torch.testing.assert_close(logits_of(model, width=5, filler=7), logits)
    torch.testing.assert_close(logits_of(model, width=8, filler=1), logits)
