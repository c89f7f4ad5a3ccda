"""The terms of an objective and their gradients, against a slow reference in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sentexp.batches import Batch
from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.machine.choose import Machine
from sentexp.model.bag_of_words import BagOfWordsClassifier
from sentexp.model.classifier import RecurrentClassifier
from sentexp.training import losses
from sentexp.training.objective import Objective, Sizes, add_gradients

MACHINE = Machine(torch.device("cpu"), torch.float32, processes=1, threads=1, reasons={})
BF16 = Machine(torch.device("cpu"), torch.bfloat16, processes=1, threads=1, reasons={})
ALL = Objective(adversarial=0.7, virtual_adversarial=1.3, entropy=0.4, epsilon=2.0, xi=0.5)
WORDS = 30


def model_of(classes: int, kind: str = "lstm", dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(1)
    embedding = Embedding(torch.randn(WORDS, 5))
    dropouts = {"word_dropout": dropout, "embedding_dropout": dropout, "output_dropout": dropout}
    if kind == "bag":
        return BagOfWordsClassifier(embedding, classes, unk_index=0, **dropouts).double()
    return RecurrentClassifier(
        embedding, classes, unk_index=0, hidden_size=4, bidirectional=True, pooling="concat", **dropouts
    ).double()


def batch_of(classes: int, reviews: int = 6, longest: int = 7, seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (reviews,))
    lengths[0] = longest
    return Batch(torch.randint(0, WORDS, (reviews, longest)), lengths, torch.randint(0, classes, (reviews,)))


def two_logits(logits: Tensor) -> Tensor:
    """Return logits of all classes, [B, C], also where a model gives one for two."""
    return torch.stack([torch.zeros_like(logits), logits], 1) if logits.dim() == 1 else logits


def reference(
    model: nn.Module, batch: Batch, objective: Objective, sizes: Sizes, labelled: bool, starts: list[Tensor]
) -> tuple[Tensor, dict[str, float]]:
    """Compute all terms review by review, each alone and without padding, as the papers have them.

    `starts` are the random places from which the trial step of each review begins, [T, E]. Returns the flat gradient of
    the weighted sum, and the sums of the terms.
    """
    total = torch.zeros((), dtype=torch.float64)
    sums = dict.fromkeys(("loss", *objective.terms), 0.0)
    for ids, length, label, start in zip(*batch, starts, strict=True):
        ids, length = ids[:length].unsqueeze(0), length.unsqueeze(0)
        vectors = model.embed(ids)  # [1, T, E]

        def logs(moved: Tensor, length: Tensor = length) -> Tensor:
            return two_logits(model.classify(moved, length)).log_softmax(1)[0]  # [C]

        still = logs(vectors)
        fixed = vectors.detach()
        scale = fixed.square().mean().sqrt()
        both = sizes.labelled + sizes.unlabelled
        if labelled:
            total = total - still[label] / sizes.labelled
            sums["loss"] -= still[label].item()
            place = fixed.clone().requires_grad_()
            (slope,) = torch.autograd.grad(-logs(place)[label], place)
            moved = logs(vectors + objective.epsilon * scale * slope / slope.norm())
            total = total - objective.adversarial * moved[label] / sizes.labelled
            sums["adversarial"] -= moved[label].item()
        answer = still.detach()
        xi = 1e-4 if len(answer) == 2 else objective.xi  # for two classes the direction is that of the limit
        trial = (xi * scale * start / start.norm()).requires_grad_()
        change = (answer.exp() * (answer - logs(fixed + trial))).sum()
        (slope,) = torch.autograd.grad(change, trial)
        moved = logs(vectors + objective.epsilon * scale * slope / slope.norm())
        change = (answer.exp() * (answer - moved)).sum()
        entropy = -(still.exp() * still).sum()
        total = total + (objective.virtual_adversarial * change + objective.entropy * entropy) / both
        sums["virtual_adversarial"] += change.item()
        sums["entropy"] += entropy.item()
    gradient = torch.autograd.grad(total, list(model.parameters()))
    return torch.cat([part.flatten() for part in gradient]), sums


def flat(model: nn.Module) -> Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def starts_of(batch: Batch, classes: int, model: nn.Module) -> list[Tensor]:
    """Return the random starts that `add_gradients` draws right after this seed."""
    torch.manual_seed(5)
    if classes > 2:
        drawn = torch.randn(*batch.ids.shape, 5)
        return [one[:length].double() for one, length in zip(drawn, batch.lengths, strict=True)]
    signs = 2 * torch.randint(0, 2, (len(batch.ids), 1, 1)) - 1
    starts = []
    for ids, length, sign in zip(batch.ids, batch.lengths, signs, strict=True):
        vectors = model.embed(ids[:length].unsqueeze(0)).detach().requires_grad_()
        (slope,) = torch.autograd.grad(model.classify(vectors, length.unsqueeze(0)).sum(), vectors)
        starts.append((sign * slope)[0])
    return starts


@pytest.mark.parametrize("kind", ["lstm", "bag"])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("classes", [2, 4])
def test_all_terms_and_gradients_are_those_of_single_reviews(classes: int, labelled: bool, kind: str) -> None:
    model, batch, sizes = model_of(classes, kind), batch_of(classes), Sizes(labelled=9, unlabelled=11)
    starts = starts_of(batch, classes, model)
    expected, sums = reference(model, batch, ALL, sizes, labelled, starts)
    torch.manual_seed(5)
    found = add_gradients(ALL, model, batch, losses.loss_sum if labelled else None, sizes, MACHINE)
    torch.testing.assert_close(flat(model), expected, rtol=2e-4, atol=2e-6)  # losses are float32
    names = ("loss", "correct", *ALL.terms)
    for name, value in zip(names, found.tolist(), strict=True):
        if name != "correct":
            assert value == pytest.approx(sums[name], rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("classes", [2, 3])
def test_padding_changes_nothing(classes: int) -> None:
    batch = batch_of(classes, longest=5)
    wider = Batch(F.pad(batch.ids, (0, 4), value=WORDS - 1), batch.lengths, batch.labels)
    objective = Objective(adversarial=1.0, entropy=1.0, virtual_adversarial=float(classes == 2))
    found = []
    for one in (batch, wider):
        model = model_of(classes)
        torch.manual_seed(3)
        sums = add_gradients(objective, model, one, losses.loss_sum, Sizes(6), MACHINE)
        found.append((sums, flat(model)))
    torch.testing.assert_close(found[0], found[1])


def test_without_terms_it_is_the_plain_loss() -> None:
    batch, plain, model = batch_of(2), model_of(2, dropout=0.3), model_of(2, dropout=0.3)
    torch.manual_seed(3)
    loss = losses.loss_sum(plain(batch.ids, batch.lengths), batch.labels)
    (loss / 6).backward()
    torch.manual_seed(3)
    found = add_gradients(Objective(), model, batch, losses.loss_sum, Sizes(6), MACHINE)
    torch.testing.assert_close(flat(model), flat(plain))
    assert found[0].item() == pytest.approx(loss.item())


class Watched(RecurrentClassifier):
    """Remembers the vectors that it is given."""

    def classify(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        self.__dict__.setdefault("seen", []).append(vectors.detach().clone())
        return super().classify(vectors, lengths)


@pytest.mark.parametrize("machine", [MACHINE, BF16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("classes", [2, 3])
def test_each_review_is_moved_by_epsilon_over_its_own_tokens_alone(classes: int, machine: Machine) -> None:
    torch.manual_seed(1)
    model = Watched(Embedding(torch.randn(WORDS, 5) * 0.1), classes, unk_index=0, hidden_size=4, pooling="max")
    batch = batch_of(classes)
    add_gradients(
        Objective(adversarial=1.0, virtual_adversarial=1.0, epsilon=2.0, xi=0.5),
        model,
        batch,
        losses.loss_sum,
        Sizes(6),
        machine,
    )
    still, *moved = model.seen
    assert len(moved) == (2 if classes == 2 else 3)
    own = (torch.arange(still.shape[1]) < batch.lengths[:, None]).unsqueeze(2)
    scale = ((still * own).square().sum((1, 2)) / (batch.lengths * 5)).sqrt()
    for vectors, epsilon in zip(moved, [2.0, 2.0] if classes == 2 else [0.5, 2.0, 2.0], strict=True):
        move = vectors - still
        assert not (move * ~own).any()
        torch.testing.assert_close(move.flatten(1).norm(dim=1), epsilon * scale, rtol=1e-4, atol=1e-5)


def test_all_passes_have_the_same_dropout_and_later_draws_are_new() -> None:
    torch.manual_seed(1)
    model = Watched(Embedding(torch.randn(WORDS, 5)), 2, unk_index=0, hidden_size=4, pooling="max", output_dropout=0.5)
    masks = []
    model.output_dropout.register_forward_hook(lambda _, inputs, output: masks.append(output == 0))
    batch = batch_of(2)
    for _ in range(2):
        add_gradients(Objective(adversarial=1.0), model, batch, losses.loss_sum, Sizes(6), MACHINE)
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[2], masks[3])
    assert not torch.equal(masks[1], masks[2])


def test_frozen_vectors_are_moved_and_stay() -> None:
    model, batch = model_of(2), batch_of(2)
    model.embedding.weight.requires_grad_(False)
    found = add_gradients(Objective(adversarial=1.0), model, batch, losses.loss_sum, Sizes(6), MACHINE)
    assert model.embedding.weight.grad is None
    assert model.rnn.weight_ih_l0.grad is not None
    assert found[2] > found[0]  # the loss grows where the vectors were moved to


def test_a_model_that_hides_its_vectors_is_refused() -> None:
    with pytest.raises(SentexpError, match=r"objective: adversarial, entropy works on .* Linear .*=supervised"):
        Objective(adversarial=1.0, entropy=1.0).check(nn.Linear(2, 1))
    Objective().check(nn.Linear(2, 1))
