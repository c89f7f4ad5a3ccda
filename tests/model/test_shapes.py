from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from sentexp.embedding.table import OneHot
from sentexp.model.bag_of_words import BagOfWordsClassifier
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.pooling import POOLINGS
from sentexp.model.shapes import WIDTH, describe

B, T, E, V, H = 4, 11, 7, 30, 6
IDS, LENGTHS = torch.randint(0, V, (B, T)), torch.tensor([5, 11, 1, 8])

RECURRENT = [
    {"cell": cell, "num_layers": layers, "bidirectional": both, "pooling": pooling, "hidden_size": H}
    for cell, layers, both in (("lstm", 1, False), ("lstm", 3, True), ("gru", 2, True))
    for pooling in POOLINGS
]
MODELS = [
    *((f"{keys}", RecurrentClassifier(nn.Embedding(V, E), 2, 0, **keys)) for keys in RECURRENT),
    ("one-hot lstm", RecurrentClassifier(OneHot(V), 3, 0, num_layers=2, bidirectional=True, hidden_size=H)),
    ("one-hot gru", RecurrentClassifier(OneHot(V), 2, 0, cell="gru", hidden_size=H, pooling="attention")),
    ("bag of words", BagOfWordsClassifier(nn.Embedding(V, E), 3, 0)),
    ("one-hot bag of words", BagOfWordsClassifier(OneHot(V), 2, 0, pooling="max")),
]
EVERY_MODEL = pytest.mark.parametrize("model", [model for _, model in MODELS], ids=[name for name, _ in MODELS])


def dimensions(model) -> dict[str, int]:
    rnn = getattr(model, "rnn", None)
    more = {} if rnn is None else {"D": 1 + rnn.bidirectional, "L": rnn.num_layers}
    return {"B": B, "T": T, "E": E, "V": V, "H": H, "C": max(2, model.head.out_features), **more}


@EVERY_MODEL
def test_every_row_has_sizes_that_are_its_named_dimensions(model):
    rows = re.findall(r"^(.{42})(\[[^\]]+\]) +(\[[^\]]+\])", describe(model, IDS, LENGTHS), re.MULTILINE)
    assert len(rows) >= 4
    for _, names, sizes in rows:
        values = [eval(name, {}, dimensions(model)) for name in names.strip("[]").split(", ")]
        assert str(values) == sizes


@EVERY_MODEL
def test_the_parameters_of_the_rows_add_up_to_the_total(model):
    lines = describe(model, IDS, LENGTHS).splitlines()
    end = next(number for number, line in enumerate(lines) if line.startswith("parameters in all"))
    start = next(number for number, line in enumerate(lines) if line.startswith("step"))
    counts = [int(found[1].replace(",", "")) for line in lines[start:end] if (found := re.search(r" ([\d,]+)$", line))]
    assert sum(counts) == int(lines[end].split()[-1].replace(",", "")) == sum(p.numel() for p in model.parameters())


@EVERY_MODEL
def test_no_line_is_wider_than_a_screen(model):
    text = describe(model, IDS, LENGTHS, words=["antidisestablishmentarianism"] * T)
    assert max(map(len, text.splitlines())) <= WIDTH == 100


def test_states_have_the_sizes_that_torch_gives_them():
    model = RecurrentClassifier(nn.Embedding(V, E), 2, 0, num_layers=3, bidirectional=True, hidden_size=H)
    text = describe(model, IDS, LENGTHS)
    assert re.search(r"h_n.* \[L\*D, B, H\] +\[6, 4, 6\]", text)
    assert len(re.findall(r"cell state .* \[1, B, H\] +\[1, 4, 6\]", text)) == 6


def test_the_first_reviews_words_stand_with_their_numbers():
    ids = torch.tensor([[7, 8, 9], [1, 2, 3]])
    model = BagOfWordsClassifier(nn.Embedding(V, E), 2, 0)
    text = describe(model, ids, torch.tensor([2, 3]), words=["good", "film", "<pad>"])
    assert "first review: good 7, film 8 ... (2 tokens, then 1 of padding)" in text


def test_dropouts_are_shown_where_they_act():
    model = RecurrentClassifier(
        nn.Embedding(V, E), 2, 0, num_layers=2, dropout=0.5, word_dropout=0.1, embedding_dropout=0.2, output_dropout=0.3
    )
    text = describe(model, IDS, LENGTHS)
    names = ("word dropout", "embedding dropout", "\ndropout", "output dropout")
    places = [text.index(f"{name}, p = ") for name in names]
    assert places == sorted(places)


def test_looking_leaves_the_model_as_it_was():
    model = RecurrentClassifier(nn.Embedding(V, E), 2, 0, word_dropout=0.5)
    state = torch.get_rng_state()
    describe(model, IDS, LENGTHS)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part._forward_hooks for part in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_frozen_parameters_are_counted():
    model = RecurrentClassifier(nn.Embedding(V, E), 2, 0)
    model.embedding.weight.requires_grad_(False)
    assert re.search(rf"not trained \(frozen\) +{V * E}$", describe(model, IDS, LENGTHS), re.MULTILINE)
