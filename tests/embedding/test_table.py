from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sentexp.embedding.table import Coverage, Embedding, OneHot, one_hot, random


class Vocabulary(SimpleNamespace):
    itos: list[str]

    def __len__(self) -> int:
        return len(self.itos)


def vocabulary(size: int = 6) -> Any:
    return Vocabulary(itos=["<unk>", "<pad>", *map(str, range(size - 2))], unk_index=0, pad_index=1)


def test_random_is_drawn_from_a_normal_distribution() -> None:
    weight = random(100, 0.25, False, vocabulary=vocabulary(2000), seed=0).weight
    assert weight.shape == (2000, 100)
    assert weight.mean().item() == pytest.approx(0, abs=0.005)
    assert weight.std().item() == pytest.approx(0.25, rel=0.01)


def test_random_depends_on_its_seed_alone() -> None:
    def weight(seed: int) -> torch.Tensor:
        return random(3, 1.0, False, vocabulary=vocabulary(), seed=seed).weight

    torch.manual_seed(0)
    first = weight(7)
    state = torch.random.get_rng_state()
    second = weight(7)
    assert torch.equal(first, second)
    assert not torch.equal(first, weight(8))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("freeze", "thaw_after", "trained"),
    [
        (False, None, [True, True, True, True]),
        (True, None, [False, False, False, False]),
        (True, 1, [False, True, True, True]),
        (True, 3, [False, False, False, True]),
    ],
)
def test_freeze_and_thaw(freeze: bool, thaw_after: int | None, trained: list[bool]) -> None:
    embedding = Embedding(torch.ones(3, 2), None, freeze, thaw_after)
    assert embedding.weight.requires_grad is trained[0]
    for resumed_at in (1, 4, 2, 3):  # in any order, as a resumed run begins anywhere
        embedding.start_epoch(resumed_at)
        assert embedding.weight.requires_grad is trained[resumed_at - 1]


def test_thawing_without_freezing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to thaw"):
        Embedding(torch.ones(3, 2), None, freeze=False, thaw_after=1)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_an_optimizer_leaves_frozen_vectors_alone_and_trains_thawed_ones(optimizer: Any) -> None:
    embedding = Embedding(torch.ones(3, 2), None, freeze=True, thaw_after=1)
    head = torch.nn.Linear(2, 1)
    steps = optimizer([*embedding.parameters(), *head.parameters()], lr=0.1, weight_decay=0.1)
    for epoch, moved in ((1, False), (2, True)):
        embedding.start_epoch(epoch)
        head(embedding(torch.tensor([0, 1]))).sum().backward()
        steps.step()
        assert torch.equal(embedding.weight, torch.ones(3, 2)) is not moved


def test_an_embedding_is_its_weights() -> None:
    embedding = Embedding(torch.arange(6.0).view(3, 2), Coverage(1, 2), freeze=True, thaw_after=2)
    assert list(embedding.state_dict()) == ["weight"]
    assert (embedding.num_embeddings, embedding.embedding_dim, embedding.padding_idx) == (3, 2, None)
    copied = pickle.loads(pickle.dumps(embedding))
    assert torch.equal(copied.weight, embedding.weight)
    assert (copied.freeze, copied.thaw_after, copied.coverage) == (True, 2, Coverage(1, 2))


def test_one_hot_is_as_wide_as_the_vocabulary_and_has_no_parameters() -> None:
    layer = one_hot(vocabulary=vocabulary(4))
    assert isinstance(layer, OneHot)
    assert (layer.num_embeddings, layer.embedding_dim, list(layer.parameters())) == (4, 4, [])
    assert layer(torch.tensor([[2, 0]], dtype=torch.int32)).tolist() == [[[0, 0, 1, 0], [1, 0, 0, 0]]]


def test_coverage_reads_as_a_sentence() -> None:
    assert str(Coverage(9163, 25002)) == "9,163 of 25,002 words found (36.6 %)"
    text = torch.tensor([0, 2, 2, 3, 5], dtype=torch.int32)
    assert Coverage(2, 4, torch.tensor([2, 5])).of_text(text) == 3 / 5
    assert Coverage(2, 4, torch.tensor([2, 9])).of_text(text) == 2 / 5
    assert Coverage(0, 0, torch.tensor([2])).of_text(text[:0]) == 0
    assert str(Coverage(0, 0)) == "0 of 0 words found (0.0 %)"
