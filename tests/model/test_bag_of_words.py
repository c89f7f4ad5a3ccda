from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sentexp.embedding.table import OneHot
from sentexp.model.bag_of_words import BagOfWordsClassifier

VOCABULARY = 12
REVIEWS = [[3, 1, 4, 1, 5], [9], [2, 2, 2]]
REDUCE = {"mean": lambda own: own.mean(0), "sum": lambda own: own.sum(0), "max": lambda own: own.max(0).values}
EVERY_POOLING = pytest.mark.parametrize("pooling", list(REDUCE))
EVERY_EMBEDDING = pytest.mark.parametrize(
    "embedding", [nn.Embedding(VOCABULARY, 5), OneHot(VOCABULARY)], ids=["vectors", "one_hot"]
)


def batch_of(width: int, filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.tensor([review + [filler] * (width - len(review)) for review in REVIEWS])
    return ids, torch.tensor([len(review) for review in REVIEWS])


@EVERY_POOLING
@EVERY_EMBEDDING
@pytest.mark.parametrize("num_classes", [2, 3])
def test_logits_are_a_linear_layer_over_the_pooled_vectors_of_a_reviews_own_words(pooling, embedding, num_classes):
    model = BagOfWordsClassifier(embedding, num_classes, 0, pooling)
    table = torch.eye(VOCABULARY) if isinstance(embedding, OneHot) else embedding.weight
    pooled = torch.stack([REDUCE[pooling](table[review]) for review in REVIEWS])
    expected = model.head(pooled).squeeze(1) if num_classes == 2 else model.head(pooled)
    for width, filler in ((5, 0), (9, 4)):
        ids, lengths = batch_of(width, filler)
        torch.testing.assert_close(model(ids.int(), lengths), expected)


@EVERY_POOLING
@EVERY_EMBEDDING
def test_the_order_of_words_cannot_be_seen(pooling, embedding):
    model = BagOfWordsClassifier(embedding, 2, 0, pooling)
    lengths = torch.tensor([5])
    there, back = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([[5, 1, 4, 1, 3]])
    torch.testing.assert_close(model(there, lengths), model(back, lengths))


@EVERY_POOLING
@EVERY_EMBEDDING
@pytest.mark.parametrize("key", ["word_dropout", "embedding_dropout", "output_dropout"])
def test_each_dropout_acts_while_training_and_only_then(pooling, embedding, key):
    torch.manual_seed(0)
    model = BagOfWordsClassifier(embedding, 2, 0, pooling, **{key: 0.5})
    plain = BagOfWordsClassifier(embedding, 2, 0, pooling)
    plain.load_state_dict(model.state_dict())
    batch = batch_of(6, 0)
    assert not torch.allclose(model(*batch), plain(*batch))
    torch.testing.assert_close(model.eval()(*batch), plain(*batch))


@EVERY_POOLING
def test_embedding_dropout_of_one_hot_words_is_dropout_of_their_vectors(pooling):
    model = BagOfWordsClassifier(OneHot(VOCABULARY), 2, 0, pooling, embedding_dropout=0.5)
    ids, lengths = batch_of(5, 0)
    torch.manual_seed(2)
    logits = model(ids, lengths)
    torch.manual_seed(2)
    own = (torch.arange(5) < lengths.unsqueeze(1)).float()
    kept = F.dropout(own, 0.5)
    vectors = F.one_hot(ids, VOCABULARY) * kept.unsqueeze(2)
    pooled = torch.stack([REDUCE[pooling](v[:n]) for v, n in zip(vectors, lengths.tolist(), strict=True)])
    torch.testing.assert_close(logits, model.head(pooled).squeeze(1))


@EVERY_EMBEDDING
def test_under_autocast_logits_are_the_same_float32(embedding):
    model, batch = BagOfWordsClassifier(embedding, 2, 0), batch_of(5, 0)
    expected = model(*batch)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(*batch), expected)


def test_impossible_lengths_and_empty_batches_are_refused():
    model = BagOfWordsClassifier(nn.Embedding(VOCABULARY, 5), 2, 0)
    with pytest.raises(ValueError, match="lengths from 0 to 3"):
        model(torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="a review"):
        model(torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, dtype=torch.long))


def test_a_pooling_that_needs_order_is_refused():
    with pytest.raises(ValueError, match=r"^pooling=last: not one of mean, max, sum"):
        BagOfWordsClassifier(nn.Embedding(VOCABULARY, 5), 2, 0, "last")
