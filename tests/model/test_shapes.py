from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

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


class Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(50, 50)
        self.embedding = nn.Embedding(V, E)
        self.block = nn.Sequential(nn.Conv1d(E, E, 3, padding=1), nn.Dropout(0.5))
        self.head = nn.Linear(E, 3)

    def forward(self, ids, lengths):
        vectors = self.embedding(ids).transpose(1, 2)
        for _ in range(2):
            vectors = self.block(vectors).relu()
        return self.head(vectors.amax(2))


class Recurrent(nn.Module):
    def __init__(self, packed: bool = False) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(V, E)
        self.a_layer_with_a_name_that_is_wider_than_its_column = nn.LSTM(E, H, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * H, 1)

    def forward(self, ids, lengths):
        vectors = self.embedding(ids)
        if self.packed:
            vectors = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        _, (h_n, _) = self.a_layer_with_a_name_that_is_wider_than_its_column(input=vectors)
        return self.head(torch.cat([h_n[0], h_n[1]], dim=1)).squeeze(1)


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, 8)
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, ids, lengths):
        vectors = self.embedding(ids)
        return self.head(self.layer(vectors, vectors, vectors, need_weights=False)[0].mean(1)).squeeze(1)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(V))

    def forward(self, ids, lengths):
        return self.weight[ids].sum(1)


class OwnBagOfWords(BagOfWordsClassifier):
    def forward(self, ids, lengths):
        return self.head(self.embedding(ids).mean(1))


OTHER_MODELS = [
    Conv(),
    Recurrent(),
    Recurrent(packed=True),
    Attentive(),
    Functional(),
    OwnBagOfWords(nn.Embedding(V, E), 3, 0),
]
EVERY_OTHER_MODEL = pytest.mark.parametrize("model", OTHER_MODELS, ids=lambda model: type(model).__name__)


def rows_of(model) -> list[list[str]]:
    """The cells of each line between the rules of the table."""
    lines = describe(model, IDS, LENGTHS).splitlines()
    start, end = (number for number, line in enumerate(lines) if line == "-" * WIDTH)
    return [re.split(r" {2,}", line.strip()) for line in lines[start + 1 : end]]


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
    text = describe(model, IDS, LENGTHS, tokens=["antidisestablishmentarianism"] * T)
    assert max(map(len, text.splitlines())) <= WIDTH == 100


def test_states_have_the_sizes_that_torch_gives_them():
    model = RecurrentClassifier(nn.Embedding(V, E), 2, 0, num_layers=3, bidirectional=True, hidden_size=H)
    text = describe(model, IDS, LENGTHS)
    assert re.search(r"h_n.* \[L\*D, B, H\] +\[6, 4, 6\]", text)
    assert len(re.findall(r"cell state .* \[1, B, H\] +\[1, 4, 6\]", text)) == 6


def test_the_first_reviews_tokens_stand_with_their_ids():
    ids = torch.tensor([[7, 8, 9], [1, 2, 3]])
    model = BagOfWordsClassifier(nn.Embedding(V, E), 2, 0)
    text = describe(model, ids, torch.tensor([2, 3]), tokens=["good", "film", "<pad>"])
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


def test_a_model_of_ones_own_has_a_row_per_called_module_in_the_order_of_the_calls():
    assert rows_of(Conv()) == [
        ["token ids", "[B, T] = [4, 11]"],
        ["lengths", "[B] = [4]"],
        ["embedding: Embedding", "[4, 11] -> [4, 11, 7]", "210"],
        ["block.0: Conv1d x 2", "[4, 7, 11] -> [4, 7, 11]", "154"],
        ["block.1: Dropout x 2", "[4, 7, 11] -> [4, 7, 11]"],
        ["head: Linear", "[4, 7] -> [4, 3]", "24"],
        ["logits", "[B, C] = [4, 3]"],
        ["parameters outside of these modules", "2,550"],  # of the layer that is never called
    ]
    assert re.search(r"^parameters in all +2,938$", describe(Conv(), IDS, LENGTHS), re.MULTILINE)


def test_every_tensor_of_an_lstms_outputs_has_its_sizes_and_what_is_too_wide_goes_on_in_the_next_line():
    assert rows_of(Recurrent())[3:6] == [
        ["a_layer_with_a_name_that_is_wider_than_i", "[4, 11, 7] -> [4, 11, 12], [2, 4, 6],", "720"],
        ["ts_column: LSTM", "[2, 4, 6]"],
        ["head: Linear", "[4, 12] -> [4, 1]", "13"],
    ]
    assert rows_of(Recurrent(packed=True))[3][1] == "[25, 7] -> [25, 12], [2, 4, 6], [2, 4, 6]"


def test_a_module_that_never_calls_its_parts_has_a_row_itself():
    names = ["token ids", "lengths", "embedding: Embedding", "layer: MultiheadAttention", "head: Linear", "logits"]
    assert [row[0] for row in rows_of(Attentive()) if not row[0].startswith("[")] == names


def test_a_model_without_modules_shows_what_goes_in_and_comes_out_and_its_parameters():
    assert rows_of(Functional()) == [
        ["token ids", "[B, T] = [4, 11]"],
        ["lengths", "[B] = [4]"],
        ["logits", "[B] = [4]"],
        ["parameters outside of these modules", f"{V}"],
    ]
    assert re.search(rf"^parameters in all +{V}$", describe(Functional(), IDS, LENGTHS), re.MULTILINE)


def test_a_subclass_of_ours_is_a_model_of_ones_own():
    model = OwnBagOfWords(nn.Embedding(V, E), 3, 0)
    assert [row[0] for row in rows_of(model)][2:-1] == ["embedding: Embedding", "head: Linear"]


@EVERY_OTHER_MODEL
def test_no_line_about_a_model_of_ones_own_is_wider_than_a_screen(model):
    assert max(map(len, describe(model, IDS, LENGTHS, tokens=["word"] * T).splitlines())) <= WIDTH


@EVERY_OTHER_MODEL
def test_looking_leaves_a_model_of_ones_own_as_it_was(model):
    model.train()
    model.embedding = getattr(model, "embedding", nn.Identity()).eval()
    modes = [part.training for part in model.modules()]
    describe(model, IDS, LENGTHS)
    assert [part.training for part in model.modules()] == modes
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
