from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from test_checkpoints import figures, resumed, stop_at
from tiny import TinyModel, corpus, recipe

from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.language_model import LanguageModel
from sentexp.streams import Streams
from sentexp.text.corpus import Corpus
from sentexp.training import Checkpoints, FitResult, choose_machine, fit
from sentexp.training.language_modelling import LanguageModelTask

TASK = LanguageModelTask(streams=4, segment=5, cutoffs=[6, 12])


def fresh(task: LanguageModelTask = TASK, **settings: Any) -> LanguageModel:
    torch.manual_seed(0)
    classifier = RecurrentClassifier(Embedding(torch.randn(20, 6)), 2, 0, hidden_size=8, **settings)
    model = task.model(classifier)
    assert isinstance(model, LanguageModel)
    return model


def trained(
    model: LanguageModel | None = None, *, train=None, valid=None, processes=1, **changes: Any
) -> tuple[FitResult, list[tuple[int, float]]]:
    points: list[tuple[int, float]] = []
    told = {name: changes.pop(name) for name in ("checkpoints", "saved", "on_epoch") if name in changes}
    stop = changes.pop("on_steps", lambda step, loss: None)

    def tell(step: int, loss: float) -> None:
        points.append((step, loss))
        stop(step, loss)

    settings = {
        "task": TASK,
        "machine": choose_machine(device="cpu", precision="fp32", processes=processes),
        "optimizer": partial(torch.optim.Adam, lr=0.02),
        "log_every": 1,
    }
    return fit(
        fresh(bidirectional=True, embedding_dropout=0.2) if model is None else model,
        train or corpus(20), valid or corpus(11, seed=1), recipe(**settings | changes),
        unlabelled=corpus(9, seed=2), on_steps=tell, **told,
    ), points  # fmt: skip


def cyclic(reviews: int, length: int = 12) -> Corpus:
    """Reviews that count upwards from a token of their own, so that each token tells the next and the previous one."""
    starts = torch.arange(reviews).unsqueeze(1)
    ids = (2 + (starts + torch.arange(length)) % 18).int().flatten()
    return Corpus(ids, torch.arange(reviews + 1) * length, torch.zeros(reviews, dtype=torch.int64), 1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_learns_a_language(bidirectional):
    model = fresh(bidirectional=bidirectional)
    quick = partial(torch.optim.Adam, lr=0.03)
    result, _ = trained(model, train=cyclic(40), valid=cyclic(7), epochs=20, optimizer=quick)
    assert result.history[0]["valid/perplexity"] > 3
    assert result.history[-1]["valid/perplexity"] < 2  # a token is guessed from its frequency alone at 18
    assert result.best_epoch > 5
    assert result.best_accuracy is None
    assert result.best_loss == min(entry["valid/loss"] for entry in result.history)


def test_an_epoch_tells_loss_perplexity_and_tokens_of_all_its_texts():
    result, points = trained(epochs=1)
    (entry,) = result.history
    assert set(entry) == {
        "epoch", "train/loss", "train/perplexity", "valid/loss", "valid/perplexity", "lr", "seconds",
        "tokens_per_second",
    }  # fmt: skip
    for split in ("train", "valid"):
        assert entry[f"{split}/perplexity"] == pytest.approx(math.exp(entry[f"{split}/loss"]))
    tokens = len(corpus(20).ids) + len(corpus(9, seed=2).ids)
    assert len(points) == math.ceil((tokens // 4 - 1) / 5)


def test_the_validation_loss_is_that_of_each_token_given_all_before_it_in_its_stream():
    model, valid = fresh(bidirectional=True), corpus(30, seed=1)
    result, _ = trained(model, valid=valid, epochs=1)
    whole = Streams([valid], count=4, length=10**6, directions=2)
    (ids,) = whole.read()
    with torch.no_grad():
        loss, _ = model.eval()(ids, model.first_states(4))
    assert result.history[0]["valid/loss"] == pytest.approx(float(loss) / whole.predicted, rel=1e-5)


def test_a_step_carries_the_state_of_the_one_before_and_a_pass_begins_anew():
    """With a rate of nothing, the losses of all steps add up to one run over the whole text."""
    model = fresh(bidirectional=True)
    _, points = trained(model, epochs=2, optimizer=partial(torch.optim.SGD, lr=0.0))
    for number in (1, 2):
        whole = Streams([corpus(20), corpus(9, seed=2)], count=4, length=10**6, directions=2)
        (ids,) = whole.read(whole.order(0, number))
        with torch.no_grad():
            loss, _ = model(ids, model.first_states(4))
        steps = math.ceil((whole.tokens - 1) / 5)
        sizes = [min(5, whole.tokens - 1 - 5 * step) for step in range(steps)]
        told = [loss for _, loss in points[(number - 1) * steps :][:steps]]
        mean = sum(size * loss for size, loss in zip(sizes, told, strict=True)) / sum(sizes)
        assert mean == pytest.approx(float(loss) / whole.predicted, rel=1e-5)


def test_epochs_by_steps_take_the_same_steps_as_whole_passes():
    _, whole = trained(fresh(bidirectional=True), epochs=3)
    by_steps = len(whole) // 3 // 2 + 1  # the second epoch goes from the first pass to the second
    parted, points = trained(fresh(bidirectional=True), epochs=5, epoch_steps=by_steps)
    assert points == whole[: 5 * by_steps]
    assert len(points) == 5 * by_steps
    assert len(parted.history) == 5


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("changes", [{}, {"epoch_steps": 7, "ema": 0.9}], ids=["passes", "epochs by steps"])
def test_a_training_that_goes_on_is_the_one_that_was_never_stopped(tmp_path, processes, changes):
    whole, points = trained(epochs=2, processes=processes, **changes)
    for step in (6, len(points) // 2, len(points) // 2 + 1, len(points) - 1)[: 4 if processes == 1 else 1]:
        folder = tmp_path / str(step)
        before: list[tuple[int, float]] = []

        def stop(now: int, loss: float, step=step, before=before) -> None:
            before.append((now, loss))
            stop_at(step)(now, loss)

        with pytest.raises(KeyboardInterrupt):
            trained(
                epochs=2, processes=processes, checkpoints=Checkpoints(folder, minutes=None), on_steps=stop, **changes
            )
        again, after = trained(epochs=2, processes=processes, saved=resumed(folder), **changes)
        assert before + after == points
        assert figures(again) == figures(whole)
        for name, weights in whole.best_state.items():
            assert torch.equal(again.best_state[name], weights)


def test_two_processes_take_the_steps_of_one():
    one, two = (fresh(bidirectional=True) for _ in range(2))
    alone, _ = trained(one, epochs=2)
    shared, _ = trained(two, epochs=2, processes=2)
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    for ours, theirs in zip(alone.history, shared.history, strict=True):
        for name in ("train/loss", "valid/loss"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4)


class NeedsMemory(LanguageModel):
    """Has memory for two streams of a training step at a time."""

    def forward(self, ids, states):
        if self.training and len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(ids, states)


def test_a_step_that_memory_does_not_suffice_for_is_computed_in_parts():
    plain, needy = fresh(bidirectional=True), fresh(bidirectional=True)
    needy.__class__ = NeedsMemory
    expected, _ = trained(plain, epochs=2)
    result, _ = trained(needy, epochs=2, on_oom="halve")
    for ours, theirs in zip(expected.history, result.history, strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-4)
        assert ours["valid/loss"] == pytest.approx(theirs["valid/loss"], rel=1e-4)


def test_a_short_validation_split_is_read_in_fewer_streams():
    result, _ = trained(valid=corpus(1, seed=5, longest=30), epochs=1)
    assert math.isfinite(result.history[0]["valid/loss"])


def test_without_validation_the_last_epoch_is_kept():
    model = fresh()
    result = fit(model, corpus(20), None, recipe(task=TASK, keep="last", epochs=2))
    assert result.best_epoch == 2
    assert "valid/loss" not in result.history[0]


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(SentexpError, match=r"task=language_model: a TinyModel does not read in an order"):
        TASK.model(TinyModel())
    with pytest.raises(SentexpError, match=r"task.streams=400: the split train is too short \(400 streams through"):
        trained(task=LanguageModelTask(streams=400, segment=5))
    with pytest.raises(SentexpError, match=r"task.streams=1: too few for 2 processes"):
        trained(task=LanguageModelTask(streams=1, segment=5), processes=2)
