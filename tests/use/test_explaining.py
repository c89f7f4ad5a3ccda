from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import pytest
import torch
from made_up_model import BAG_OF_WORDS, RECURRENT, trained
from torch import Tensor, nn

from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.model.pooling import masked_mean
from sentexp.text.corpus import Corpus
from sentexp.trained_model import TrainedModel
from sentexp.use import explaining
from sentexp.use.explaining import explain
from sentexp.use.explanation import Explanation

TEXT = "a good film, not bad bad"
EVERY_EMBEDDING = pytest.mark.parametrize("one_hot", [False, True], ids=["vectors", "one_hot"])


def contributions(explanation: Explanation) -> list[float]:
    return [token.contribution for token in explanation.tokens if token.contribution is not None]


def sums_to_the_difference(explanation: Explanation) -> None:
    difference = explanation.logit - explanation.baseline
    assert abs(sum(contributions(explanation)) - difference) <= 0.01 * abs(difference) + 1e-4
    assert explanation.method == "integrated gradients"
    assert not explanation.notes()


@EVERY_EMBEDDING
@pytest.mark.parametrize(
    ("cell", "bidirectional", "layers", "pooling"),
    list(itertools.product(["lstm", "gru"], [False, True], [1, 2], ["last", "max", "mean", "concat", "attention"])),
)
def test_contributions_sum_to_the_difference_for_every_recurrent_model(
    cell, bidirectional, layers, pooling, one_hot
) -> None:
    model = {**RECURRENT, "cell": cell, "bidirectional": bidirectional, "num_layers": layers, "pooling": pooling}
    sums_to_the_difference(explain(trained({**model, "dropout": 0.0}, one_hot=one_hot), TEXT))


@EVERY_EMBEDDING
@pytest.mark.parametrize("pooling", ["mean", "max", "sum"])
def test_contributions_sum_to_the_difference_for_every_bag_of_words(pooling, one_hot) -> None:
    sums_to_the_difference(explain(trained({**BAG_OF_WORDS, "pooling": pooling}, one_hot=one_hot), TEXT))


@pytest.mark.parametrize("fix_length", [None, 12])
def test_padding_that_counts_is_as_in_a_prediction(fix_length) -> None:
    model = trained({**RECURRENT, "ignore_padding": False}, fix_length=fix_length)
    explanation = explain(model, TEXT)
    sums_to_the_difference(explanation)
    assert list(explanation.probabilities.values()) == pytest.approx(model.predict([TEXT])[0].tolist(), abs=1e-6)


def test_a_linear_model_has_exactly_the_contributions_of_its_words() -> None:
    model = trained({**BAG_OF_WORDS, "pooling": "sum"})
    explanation = explain(model, TEXT)
    of_words = (model.model.head(model.model.embedding.weight) - model.model.head.bias).detach()
    ids = [token.id for token in model.pipeline.trace(TEXT)]
    assert contributions(explanation) == pytest.approx([float(of_words[id]) for id in ids], abs=1e-5)
    assert [token.without for token in explanation.tokens] == pytest.approx(contributions(explanation), abs=1e-5)
    assert explanation.baseline == pytest.approx(float(model.model.head.bias.detach()), abs=1e-6)


def test_n_grams_have_exact_contributions() -> None:
    model = trained({"_target_": "sentexp.model.nb_ngrams.NbNgramsClassifier"})
    corpus = model.pipeline.encode(["a good film", "not bad", "bad", "a bad film"])
    labels = torch.tensor([1, 1, 0, 0])
    model.model.solve(Corpus(corpus.ids, corpus.offsets, labels, corpus.pad_index))  # type: ignore[operator]
    explanation = explain(model, "not a good film")
    assert explanation.method == "n-grams"
    assert explanation.baseline == pytest.approx(float(model.model.bias), abs=1e-5)
    assert abs(explanation.error) < 1e-5
    negated = explain(model, "not a good film", "neg")
    assert contributions(negated) == pytest.approx([-part for part in contributions(explanation)], abs=1e-6)


def test_probabilities_and_changes_are_those_of_the_texts_themselves() -> None:
    model = trained()
    explanation = explain(model, "not bad film")
    so_far = model.predict(["not", "not bad", "not bad film"])[:, 1]
    assert [token.probability for token in explanation.tokens] == pytest.approx(so_far.tolist(), abs=1e-5)
    shorter = model.predict(["bad film", "not film", "not bad"])[:, 1].logit()
    assert [token.without for token in explanation.tokens] == pytest.approx(
        (explanation.logit - shorter).tolist(), abs=1e-4
    )


def test_what_cleaning_drops_and_what_is_cut_is_there_without_figures() -> None:
    model = trained()
    model.config["text"] |= {"max_length": 2}
    model.config["text"]["clean"]["punctuation"] = True
    from sentexp.instantiate import build_pipeline

    cut = replace(model, pipeline=build_pipeline(model.config, model.pipeline.vocabulary))
    tokens = explain(cut, "Good! odd film").tokens
    assert [(token.text, token.read_as, token.fate) for token in tokens] == [
        ("Good", "good", "read"),
        ("!", None, "dropped"),
        ("odd", "<unk>", "read"),
        ("film", None, "cut"),
    ]
    assert [token.contribution is None for token in tokens] == [False, True, False, True]


def test_the_label_is_the_second_of_two_the_likeliest_of_more_or_the_one_asked_for() -> None:
    assert explain(trained(), TEXT).label == "pos"
    assert explain(trained(), TEXT, "neg").logit == pytest.approx(-explain(trained(), TEXT).logit, abs=1e-6)
    three = trained(labels=("a", "b", "c"))
    assert explain(three, TEXT).label == explain(three, TEXT).predicted == explain(three, TEXT, "b").predicted
    sums_to_the_difference(explain(three, TEXT, "b"))
    with pytest.raises(SentexpError, match=r"label postive: expected one of neg, positive; did you mean positive\?"):
        explain(trained(labels=("neg", "positive")), TEXT, "postive")


@pytest.mark.parametrize(
    ("text", "tokens", "note"),
    [
        ("", ["<unk>"], "no token is left of the text: the model reads <unk>"),
        ("xyzzy plugh", ["xyzzy", "plugh"], "the model knows no word of it: each is <unk>"),
        ("\U0001f600", ["\U0001f600"], "the model knows no word of it: each is <unk>"),
        ("\x1b[31m\x00", ["\x1b", "[", "31m", "\x00"], "the model knows no word of it: each is <unk>"),
    ],
)
def test_texts_without_a_word_have_an_answer_of_their_own(text, tokens, note) -> None:
    explanation = explain(trained(), text)
    assert [token.text for token in explanation.tokens] == tokens
    assert explanation.notes() == [note]


def test_a_long_text_is_explained_up_to_a_bound_and_this_is_said(monkeypatch) -> None:
    monkeypatch.setattr(explaining, "LONGEST", 20)
    explanation = explain(trained(), "good film " * 50_000)
    assert len(explanation.tokens) == 20
    assert explanation.notes() == ["explained are the first 20 of 100,000 tokens, as if the text ended there"]
    assert explanation.probabilities == pytest.approx(explain(trained(), "good film " * 10).probabilities)


class OfVectors(nn.Module):
    """A model of one's own, which flattens its ids before it looks them up."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding: nn.Module = nn.Embedding(9, 4, padding_idx=1)
        self.head = nn.Linear(4, 1)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        vectors = self.embedding(ids.flatten()).view(*ids.shape, -1)
        return self.head(masked_mean(vectors, lengths).tanh()).squeeze(1)


class OfIds(nn.Module):
    """A model of one's own that looks at the ids themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding: nn.Module = Embedding(torch.randn(9, 4))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return (ids % 9).float().sum(1) / 10 + self.embedding(ids).sum((1, 2)) * 0


class Steep(nn.Module):
    """A model of one's own whose logit jumps half-way between the zero vectors and the text's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding: nn.Module = Embedding(torch.ones(9, 1))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return (80 * (masked_mean(self.embedding(ids), lengths) - 0.5)).tanh().squeeze(1)


def with_model(model: nn.Module) -> TrainedModel:
    return replace(trained(), model=model)


def test_more_steps_are_taken_until_the_sum_is_near_enough_and_else_it_is_said(monkeypatch) -> None:
    explanation = explain(with_model(Steep()), TEXT)
    sums_to_the_difference(explanation)
    assert explanation.steps > 32
    monkeypatch.setattr(explaining, "STEPS", (2,))
    rough = explain(with_model(Steep()), TEXT)
    found = sum(contributions(rough))
    expected = f"the contributions sum to {found:.4f}, not to the logit's difference of 2.0000 (2 steps)"
    assert rough.notes() == [expected]


def test_a_model_of_ones_own_is_explained_by_its_embedding() -> None:
    torch.manual_seed(0)
    sums_to_the_difference(explain(with_model(OfVectors()), TEXT))


def test_where_the_gradients_do_not_tell_leaving_out_does_and_this_is_said() -> None:
    explanation = explain(with_model(OfIds()), "a good film")
    assert explanation.method == "leave-one-out"
    assert contributions(explanation) == [token.without for token in explanation.tokens]
    assert explanation.notes() == [
        "this model's gradients do not tell (its logit depends on more than the vectors of its embedding): "
        "contributions are those of leaving a token out",
    ]


class OfTheTable(OfIds):
    """A model of one's own that wants the weights of its embedding."""

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return masked_mean(self.embedding.weight[ids.long()], lengths).sum(1)  # type: ignore[index]


class Rounded(OfVectors):
    """A model of one's own without a gradient."""

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(ids, lengths).detach()


class OfCounts(nn.Module):
    """A model of one's own without an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 1)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.head(lengths[:, None].float()).squeeze(1)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (OfTheTable, "AttributeError: '_ScaledVectors' object has no attribute 'weight'"),
        (Rounded, "its logit has no gradient"),
        (OfCounts, "it has no module called embedding"),
    ],
)
def test_why_the_gradients_do_not_tell_is_said(model, reason) -> None:
    explanation = explain(with_model(model()), "a good film")
    assert explanation.reason == reason
    assert explanation.method == "leave-one-out"
    assert f"({reason})" in explanation.notes()[0]


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (None, RuntimeError("device-side assert triggered")),  # a built-in model: no reason to do without gradients
        (OfVectors(), MemoryError()),
        (OfVectors(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")),
        (OfVectors(), RuntimeError("DefaultCPUAllocator: can't allocate memory")),
    ],
)
def test_a_lack_of_memory_and_a_failure_of_a_built_in_model_are_raised(model, error, monkeypatch) -> None:
    def failing(scales: Tensor) -> Tensor:
        raise error

    monkeypatch.setattr(explaining, "_scaled_logit", lambda *_: failing)
    with pytest.raises(type(error)) as raised:
        explain(trained() if model is None else with_model(model), TEXT)
    assert raised.value is error


def test_the_word_vectors_are_not_copied(monkeypatch) -> None:
    model = trained()
    looked_up, forward = set(), Embedding.forward

    def spied(self: Embedding, ids: Tensor) -> Tensor:
        looked_up.add(self.weight.data_ptr())
        return forward(self, ids)

    monkeypatch.setattr(Embedding, "forward", spied)
    explain(model, TEXT)
    assert looked_up == {model.model.embedding.weight.data_ptr()}


def test_the_model_stays_as_it_was() -> None:
    model = trained()
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    modules = dict(model.model.named_modules())
    explain(model, TEXT)
    assert dict(model.model.named_modules()) == modules
    assert model.model.training
    assert all(parameter.requires_grad for parameter in model.model.parameters())
    torch.testing.assert_close(model.model.state_dict(), before, rtol=0, atol=0)


def test_a_missing_package_is_named_with_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(SentexpError, match=r"explain: needs captum.*; expected pip install .*\[explain\]"):
        explain(trained(), TEXT)
