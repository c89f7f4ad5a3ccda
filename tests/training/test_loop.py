from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from tiny import PAD, TinyModel, corpus, recipe

from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.evaluation import predict
from sentexp.model.classifier import RecurrentClassifier
from sentexp.text.corpus import Corpus
from sentexp.training import TrainingProgress, choose_machine, fit, schedules
from sentexp.training.loop import build_optimizer

SGD = partial(torch.optim.SGD, lr=0.5)


def fresh(**arguments) -> TinyModel:
    torch.manual_seed(0)
    return TinyModel(**arguments)


def trained(model: torch.nn.Module | None = None, train=None, valid=None, on_epoch=None, progress=None, **changes):
    """Return the result of a small training and its model; `changes` are fields of the recipe or of its trainer."""
    model = fresh() if model is None else model
    train = corpus(100) if train is None else train
    valid = corpus(60, seed=1) if valid is None else valid
    return fit(model, train, valid, recipe(**changes), on_epoch=on_epoch, progress=progress), model


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def losses(result) -> list[float]:
    return [entry["train/loss"] for entry in result.history]


@pytest.mark.parametrize("classes", [2, 3])
def test_it_learns(classes):
    result, _ = trained(
        TinyModel(classes), corpus(200, classes=classes), corpus(80, seed=1, classes=classes),
        optimizer=partial(torch.optim.Adam, lr=0.05), epochs=10,
    )  # fmt: skip
    assert result.history[0]["train/loss"] == pytest.approx(math.log(classes), abs=0.25)
    assert result.best_accuracy > 0.9


def test_the_history_has_an_entry_each_epoch():
    seen = []
    result, _ = trained(on_epoch=lambda metrics, epoch: seen.append((epoch, dict(metrics))))
    assert seen == [(entry["epoch"], entry) for entry in result.history]
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert set(result.history[0]) == {
        "epoch", "train/loss", "train/accuracy", "valid/loss", "valid/accuracy", "lr", "seconds",
        "reviews_per_second", "tokens_per_second",
    }  # fmt: skip


def test_training_loss_and_accuracy_are_means_over_reviews():
    """With a rate of almost 0 the model stays what it was, so they can be computed beforehand."""
    model, reviews = fresh(), corpus(50)
    batch = next(iter(_all(reviews)))
    logits = model(batch.ids, batch.lengths)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.labels.float())
    accuracy = ((logits > 0) == batch.labels).double().mean()
    rate = partial(torch.optim.SGD, lr=1e-12)
    result, _ = trained(model, reviews, reviews, optimizer=rate, epochs=1, batch_size=16)  # last batch: 2 reviews
    for split in ("train", "valid"):
        assert result.history[0][f"{split}/loss"] == pytest.approx(float(expected.detach()), rel=1e-5)
        assert result.history[0][f"{split}/accuracy"] == pytest.approx(float(accuracy))


def _all(reviews: Corpus):
    from sentexp.batches import Batches

    return Batches(reviews).of([torch.arange(len(reviews))])


@pytest.mark.parametrize("bounds", [{}, {"bucket": False}, {"batch_size": None, "max_tokens": 50}])
def test_the_same_seed_is_the_same_run_bit_for_bit(bounds):
    first, one = trained(fresh(dropout=0.5), **bounds)
    torch.rand(17)  # whatever drew from the generator in between
    second, other = trained(fresh(dropout=0.5), **bounds)
    assert losses(first) == losses(second)
    assert same(one, other)


def test_the_recurrent_classifier_in_bf16_is_the_same_run_bit_for_bit():
    def run():
        torch.manual_seed(0)
        model = RecurrentClassifier(
            torch.nn.Embedding(20, 6),
            num_classes=2,
            unk_index=0,
            hidden_size=8,
            bidirectional=True,
            pooling="concat",
            word_dropout=0.1,
            embedding_dropout=0.5,
            output_dropout=0.5,
        )
        machine = choose_machine(device="cpu", precision="bf16", processes=1)
        optimizer = partial(torch.optim.AdamW, lr=0.01)
        return trained(model, machine=machine, optimizer=optimizer, schedule=schedules.one_cycle)

    (first, one), (second, other) = run(), run()
    assert losses(first) == losses(second)
    assert same(one, other)


def test_another_seed_is_another_run():
    assert losses(trained(seed=0)[0]) != losses(trained(seed=1)[0])


def test_dropout_does_not_hang_on_what_a_callback_draws():
    quiet, _ = trained(fresh(dropout=0.5))
    drawing, _ = trained(fresh(dropout=0.5), on_epoch=lambda metrics, epoch: torch.rand(epoch))
    assert losses(quiet) == losses(drawing)


def test_the_best_epoch_is_kept_and_restored():
    states = []
    model = TinyModel()

    def keep(metrics, epoch):
        states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})

    valid = corpus(60, seed=1)
    valid.labels = 1 - valid.labels  # the better it learns, the worse it does here
    result, _ = trained(model, valid=valid, epochs=4, optimizer=partial(torch.optim.Adam, lr=0.05), on_epoch=keep)
    entries = result.history
    best = max(entries, key=lambda entry: (entry["valid/accuracy"], -entry["valid/loss"]))
    assert result.best_epoch == best["epoch"] < 4
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, states[result.best_epoch - 1][name])
        assert torch.equal(tensor, result.best_state[name])


def test_early_stopping_waits_for_its_patience():
    valid = corpus(60, seed=1)
    valid.labels = 1 - valid.labels
    optimizer = partial(torch.optim.Adam, lr=0.05)
    result, _ = trained(valid=valid, epochs=30, early_stopping=2, optimizer=optimizer)
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 2
    patient, _ = trained(valid=valid, epochs=5, early_stopping=None, optimizer=optimizer)
    assert len(patient.history) == 5
    assert not patient.stopped_early


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.constant, [0.5, 0.5, 0.5]),
        (partial(schedules.cosine, warmup=0.0, final_fraction=0.0), [None, None, 0.0]),
        (partial(schedules.plateau, factor=0.1, patience=0, min_lr=0.0), [0.5, None, None]),
    ],
)
def test_the_schedule_moves_the_rate(schedule, expected):
    result, _ = trained(schedule=schedule)
    for entry, rate in zip(result.history, expected, strict=True):
        assert rate is None or entry["lr"] == pytest.approx(rate)


@pytest.mark.parametrize(("clip_norm", "moved"), [(0.0, False), (1e-6, True)])
def test_clipping_bounds_the_step(clip_norm, moved):
    before = fresh()
    _, after = trained(epochs=1, batch_size=100, clip_norm=clip_norm)
    step = torch.cat([(a - b).flatten() for a, b in zip(after.parameters(), before.parameters(), strict=True)])
    assert (float(step.detach().norm()) <= 0.5e-6 * 1.2) is moved


def test_label_smoothing_raises_the_training_loss_alone():
    optimizer = partial(torch.optim.SGD, lr=1e-12)
    confident = fresh()
    with torch.no_grad():
        confident.head.weight.mul_(30)
    plain = trained(confident, optimizer=optimizer, epochs=1)[0].history[0]
    smooth = trained(confident, optimizer=optimizer, epochs=1, label_smoothing=0.2)[0].history[0]
    assert smooth["train/loss"] != plain["train/loss"]
    assert smooth["valid/loss"] == plain["valid/loss"]


@pytest.mark.parametrize("key", ["class_weight", "sampling"])
def test_balanced_weights_and_samples_let_a_rare_class_count(key):
    some = corpus(400)
    rare = some.select(np.flatnonzero((some.labels.numpy() == 0) | (np.arange(400) % 10 == 0)))
    said = {}
    for changes in ({}, {key: "balanced"}):
        _, model = trained(train=rare, epochs=1, **changes)
        said[len(changes)] = int(predict(model, corpus(100, seed=1), machine=recipe().machine).answers.sum())
    assert said[0] < said[1]


def test_a_model_that_is_solved_has_no_samples_to_balance():
    class Solved(TinyModel):
        def solve(self, train, *, class_weights):
            raise AssertionError("it is refused before")

    with pytest.raises(SentexpError, match=r"^trainer\.sampling=balanced: .* expected trainer\.class_weight=balanced"):
        trained(Solved(), sampling="balanced")


def test_what_the_callback_raises_comes_through():
    class Pruned(Exception):
        pass

    def prune(metrics, epoch):
        if epoch == 2:
            raise Pruned

    with pytest.raises(Pruned):
        trained(on_epoch=prune)


def test_the_embedding_is_told_each_epoch():
    class Thawing(torch.nn.Embedding):
        epochs: list[int] = []  # noqa: RUF012

        def start_epoch(self, epoch):
            self.epochs.append(epoch)
            self.weight.requires_grad_(epoch > 1)

    model = TinyModel()
    model.embedding = Thawing(20, 4)
    weights = [model.embedding.weight.detach().clone()]
    trained(model, on_epoch=lambda metrics, epoch: weights.append(model.embedding.weight.detach().clone()))
    assert model.embedding.epochs == [1, 2, 3]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


def test_a_fixed_width_reaches_the_model():
    class Measured(TinyModel):
        widths: set[int] = set()  # noqa: RUF012

        def forward(self, ids, lengths):
            self.widths.add(ids.shape[1])
            return super().forward(ids, lengths)

    trained(Measured(), corpus(100, width=12), corpus(60, seed=1, width=12), epochs=1)
    assert Measured.widths == {12}


def test_bf16_reaches_the_model_and_stays_out_of_the_weights():
    class Measured(TinyModel):
        dtypes: set[torch.dtype] = set()  # noqa: RUF012

        def forward(self, ids, lengths):
            logits = super().forward(ids, lengths)
            self.dtypes.add(logits.dtype)
            return logits

    machine = choose_machine(device="cpu", precision="bf16", processes=1)
    _, model = trained(Measured(), machine=machine, epochs=1)
    assert Measured.dtypes == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_an_empty_split_is_refused():
    with pytest.raises(SentexpError, match=r"^data: the valid split holds no review"):
        trained(valid=Corpus(torch.zeros(0).int(), torch.zeros(1).long(), torch.zeros(0).long(), PAD))


def test_a_line_each_epoch():
    lines: list[str] = []
    trained(progress=TrainingProgress(lines.append))
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


@pytest.mark.parametrize(
    ("factory", "fused"),
    [
        (partial(torch.optim.Adam, lr=1e-3), True),
        (torch.optim.AdamW, True),
        (partial(torch.optim.Adam, foreach=True), None),
        (SGD, None),
        (partial(torch.optim.RMSprop, lr=1e-3), None),
    ],
)
def test_the_fused_kernel_is_taken_where_it_pays(factory, fused):
    optimizer = build_optimizer(factory, TinyModel(), torch.device("cpu"))
    assert optimizer.defaults.get("fused") == fused
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 3


@pytest.mark.parametrize(
    "factory", [partial(torch.optim.AdamW, lr=0.1), torch.optim.Adam, partial(torch.optim.SGD, lr=0.1)]
)
def test_each_layer_has_a_rate_of_its_own_that_the_schedule_moves(factory):
    model = RecurrentClassifier(Embedding(torch.randn(9, 4)), 2, 0, num_layers=2)
    optimizer = build_optimizer(factory, model, torch.device("cpu"), layer_decay=0.5)
    groups = optimizer.param_groups
    assert [group["params"] for group in groups] == model.layers()
    peak = optimizer.defaults["lr"]
    assert [group["lr"] for group in groups] == pytest.approx([peak, peak / 2, peak / 4, peak / 8])
    schedule = schedules.one_cycle(optimizer, total_steps=10)
    optimizer.step()
    schedule.step()
    rates = [group["lr"] for group in groups]
    assert rates[0] != peak
    assert rates == pytest.approx([rates[0], rates[0] / 2, rates[0] / 4, rates[0] / 8])


def test_layers_that_thaw_are_trained_from_then_on():
    torch.manual_seed(0)
    model = RecurrentClassifier(Embedding(torch.randn(20, 4)), 2, 0, hidden_size=4, thaw_after=1)
    seen = []

    def keep(metrics, epoch):
        seen.append([parameter.detach().clone() for parameter in (model.head.weight, *model.rnn.parameters())])

    trained(model, on_epoch=keep, epochs=2, layer_decay=0.9)
    head, recurrent = seen[0][0], seen[0][1:]
    torch.manual_seed(0)
    first = RecurrentClassifier(Embedding(torch.randn(20, 4)), 2, 0, hidden_size=4)
    assert not torch.equal(head, first.head.weight)
    assert all(torch.equal(one, other) for one, other in zip(recurrent, first.rnn.parameters(), strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(seen[1][1:], recurrent, strict=True))


def test_rates_by_layer_need_a_model_that_says_its_layers():
    with pytest.raises(SentexpError, match=r"trainer.layer_decay=0.5: TinyModel has no method layers"):
        trained(layer_decay=0.5)
