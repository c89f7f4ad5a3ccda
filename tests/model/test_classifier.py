from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sentexp.embedding.table import Embedding, OneHot
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.pooling import POOLINGS

VOCABULARY = 20


def classifier(num_classes=2, embedding=None, **keys) -> RecurrentClassifier:
    torch.manual_seed(1)
    return RecurrentClassifier(embedding or nn.Embedding(VOCABULARY, 5), num_classes, 0, **{"hidden_size": 4, **keys})


def batch_of(reviews: list[list[int]], width: int, filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.tensor([review + [filler] * (width - len(review)) for review in reviews])
    return ids, torch.tensor([len(review) for review in reviews])


REVIEWS = [[3, 1, 4, 1, 5], [9], [2, 6, 5], [3, 5, 8, 9, 7, 9, 3], [2, 3]]
CONFIGURATIONS = pytest.mark.parametrize(
    "keys",
    [{"pooling": pooling, "bidirectional": both} for pooling in POOLINGS for both in (False, True)]
    + [{"cell": "gru", "num_layers": 2, "bidirectional": True}, {"num_layers": 3, "pooling": "max"}]
    + [{"embedding": OneHot(VOCABULARY), "bidirectional": True}],
    ids=lambda keys: "-".join(str(value) for value in keys.values()),
)


@CONFIGURATIONS
def test_a_reviews_logit_is_the_same_alone_in_any_batch_in_any_order_whatever_the_padding(keys):
    model = classifier(**keys).eval()
    together = model(*batch_of(REVIEWS, width=7, filler=1))
    torch.testing.assert_close(model(*batch_of(REVIEWS[::-1], width=12, filler=19)).flip(0), together)
    for number, review in enumerate(REVIEWS):
        torch.testing.assert_close(model(*batch_of([review], len(review), 0)), together[number : number + 1])


@settings(max_examples=25, deadline=None)
@given(
    reviews=st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=9), min_size=1, max_size=5),
    extra=st.integers(0, 5),
    filler=st.integers(0, VOCABULARY - 1),
)
def test_padding_never_counts(reviews, extra, filler):
    model = classifier(pooling="concat", bidirectional=True, num_layers=2).eval()
    longest = max(map(len, reviews))
    plain, padded = batch_of(reviews, longest, 0), batch_of(reviews, longest + extra, filler)
    torch.testing.assert_close(model(*padded), model(*plain))


@CONFIGURATIONS
@pytest.mark.parametrize(("num_classes", "shape"), [(2, (5,)), (3, (5, 3))])
def test_two_classes_give_one_logit_and_more_give_one_each(keys, num_classes, shape):
    ids, lengths = batch_of(REVIEWS, 7, 0)
    logits = classifier(num_classes, **keys)(ids.int(), lengths.int())
    assert logits.shape == shape
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("pooling", POOLINGS)
def test_logits_are_those_of_torchs_own_layers(pooling):
    model = classifier(pooling=pooling, bidirectional=True, num_layers=2).eval()
    oracle = nn.LSTM(5, 4, 2, batch_first=True, bidirectional=True)
    oracle.load_state_dict(model.rnn.state_dict())
    for review in REVIEWS:
        outputs, (h_n, _) = oracle(model.embedding(torch.tensor([review])))
        last = torch.cat([h_n[-2], h_n[-1]], dim=1)
        pooled = model.pooling(outputs, last, torch.tensor([len(review)]))
        expected = model.head(pooled).squeeze(1)
        torch.testing.assert_close(model(*batch_of([review], 9, 3)), expected)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_reading_the_padding_is_the_same_as_giving_every_review_the_width_of_the_batch(pooling, bidirectional):
    honest = classifier(pooling=pooling, bidirectional=bidirectional)
    careless = classifier(pooling=pooling, bidirectional=bidirectional, ignore_padding=False)
    ids, lengths = batch_of(REVIEWS, 7, 1)
    torch.testing.assert_close(careless(ids, lengths), honest(ids, torch.full_like(lengths, 7)))
    assert not torch.allclose(careless(ids, lengths), honest(ids, lengths))


def test_the_tutorials_last_time_step_of_the_padded_sequence():
    model = classifier(ignore_padding=False)
    ids, lengths = batch_of(REVIEWS, 7, 1)
    oracle = nn.LSTM(5, 4, batch_first=True)
    oracle.load_state_dict(model.rnn.state_dict())
    output, _ = oracle(model.embedding(ids))
    torch.testing.assert_close(model(ids, lengths), model.head(output[:, -1]).squeeze(1))


@pytest.mark.parametrize("key", ["word_dropout", "embedding_dropout", "output_dropout"])
@pytest.mark.parametrize("embedding", [nn.Embedding(VOCABULARY, 5), OneHot(VOCABULARY)], ids=["vectors", "one_hot"])
def test_each_dropout_acts_while_training_and_only_then(key, embedding):
    plain, dropping = classifier(embedding=embedding), classifier(embedding=embedding, **{key: 0.5})
    batch = batch_of(REVIEWS, 7, 0)
    assert not torch.allclose(dropping(*batch), plain(*batch))
    torch.testing.assert_close(dropping.eval()(*batch), plain(*batch))


def test_embedding_dropout_of_one_hot_words_is_dropout_of_their_vectors():
    model = classifier(embedding=OneHot(VOCABULARY), embedding_dropout=0.5)
    ids, lengths = batch_of(REVIEWS, 7, 0)
    torch.manual_seed(2)
    logits = model(ids, lengths)
    torch.manual_seed(2)
    kept = F.dropout(torch.ones(ids.shape), 0.5)
    _, h_n = model.rnn(F.one_hot(ids, VOCABULARY).float() * kept.unsqueeze(2), lengths)
    torch.testing.assert_close(logits, model.head(h_n[0]).squeeze(1))
    assert set(kept.unique().tolist()) == {0.0, 2.0}


@CONFIGURATIONS
def test_bfloat16_is_close_to_float32_and_its_logits_are_float32(keys):
    model, batch = classifier(**{**keys, "hidden_size": 32}), batch_of(REVIEWS, 7, 0)
    exact = model(*batch)
    with torch.autocast("cpu", torch.bfloat16):
        near = model(*batch)
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, exact, rtol=0, atol=0.02)
    near.sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())


def test_every_parameter_gets_a_gradient_and_a_copy_gives_the_same_logits():
    model = classifier(pooling="attention", num_layers=2, bidirectional=True)
    batch = batch_of(REVIEWS, 7, 0)
    model(*batch).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    other = classifier(pooling="attention", num_layers=2, bidirectional=True, embedding=copy.deepcopy(model.embedding))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(*batch), model(*batch))


def test_the_last_review_of_a_batch_may_be_alone_and_one_word_long():
    assert classifier(pooling="concat", bidirectional=True)(*batch_of([[4]], 1, 0)).shape == (1,)


@pytest.mark.parametrize("lengths", [[0, 3], [2, 8]])
@pytest.mark.parametrize("ignore_padding", [True, False])
def test_impossible_lengths_are_refused(lengths, ignore_padding):
    with pytest.raises(ValueError, match="expected 1 to 7"):
        classifier(ignore_padding=ignore_padding)(torch.zeros(2, 7, dtype=torch.long), torch.tensor(lengths))


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="a review"):
        classifier()(torch.zeros(0, 7, dtype=torch.long), torch.zeros(0, dtype=torch.long))


def test_an_unknown_cell_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"^cell=lstn: not one of lstm, gru; did you mean lstm\?$"):
        classifier(cell="lstn")


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match="num_classes=1"):
        classifier(num_classes=1)


def test_layers_thaw_one_after_the_other_from_the_top() -> None:
    model = RecurrentClassifier(Embedding(torch.randn(9, 4)), 2, 0, num_layers=2, bidirectional=True, thaw_after=1)
    top, second, first, words = model.layers()
    assert sum(map(len, (top, second, first, words))) == len(list(model.parameters()))
    for epoch, trained in ((1, [top]), (2, [top, second]), (3, [top, second, first]), (4, [top, second, first, words])):
        model.embedding.start_epoch(epoch)
        model.start_epoch(epoch)
        expected = {id(parameter) for layer in trained for parameter in layer}
        assert {id(parameter) for parameter in model.parameters() if parameter.requires_grad} == expected


def test_every_parameter_belongs_to_one_layer() -> None:
    model = RecurrentClassifier(Embedding(torch.randn(9, 4)), 2, 0, hidden_size=2, num_layers=12, pooling="attention")
    named = {id(parameter): name for name, parameter in model.named_parameters()}
    layers = [{named.pop(id(parameter)) for parameter in layer} for layer in model.layers()]
    assert named == {}
    assert layers[0] == {"pooling.score.weight", "head.weight", "head.bias"}
    assert [{name.rpartition("_l")[2] for name in layer} for layer in layers[1:-1]] == [{str(n)} for n in range(12)][
        ::-1
    ]
    assert layers[-1] == {"embedding.weight"}


def test_an_embedding_that_is_frozen_stays_so_when_its_turn_has_come() -> None:
    model = RecurrentClassifier(Embedding(torch.randn(9, 4), freeze=True), 2, 0, thaw_after=0)
    for epoch in range(1, 4):
        model.embedding.start_epoch(epoch)
        model.start_epoch(epoch)
        assert not model.embedding.weight.requires_grad
    assert model.rnn.weight_ih_l0.requires_grad
