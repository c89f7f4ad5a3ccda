from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import pytest
import torch
from made_up_model import trained

from sentexp.books import Books, Texts
from sentexp.config import plain
from sentexp.errors import SentexpError
from sentexp.use.judging import judge, load_reviews, part_of, reordered, seen_before


def test_validation_and_test_reviews_are_predicted_as_the_model_does_it(config) -> None:
    model, own = trained(), config()
    reviews = load_reviews(own)
    judged = judge(model, reviews, own)
    assert {split: len(one.lengths) for split, one in judged.items()} == {"valid": 3, "test": 8}
    for split, one in judged.items():
        expected = model.predict(reviews.splits[split]["text"][:])
        torch.testing.assert_close(one.predictions.probabilities, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_is_back_on_its_own_device_afterwards(config, monkeypatch, fails: bool) -> None:
    model, own = trained(), config()
    moves = []
    move = model.model.to
    monkeypatch.setattr(model.model, "to", lambda device: moves.append(device) or move("cpu"))
    monkeypatch.setattr("sentexp.use.judging.choose_machine", lambda **_: Elsewhere)
    monkeypatch.setattr("sentexp.evaluation.predict", lambda *_, **__: 1 / 0 if fails else None)
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        judge(model, load_reviews(own), own)
    assert moves == [torch.device("cuda"), torch.device("cpu")]


class Elsewhere:
    device = torch.device("cuda")


def test_labels_are_matched_by_name_whatever_their_numbers(config) -> None:
    model, own = trained(labels=("pos", "neg", "other")), config()
    reviews = load_reviews(own)
    assert reviews.labels == ["neg", "pos"]
    judged = judge(model, reviews, own)
    expected = [("pos", "neg").index(reviews.labels[number]) for number in reviews.splits["test"]["label"][:]]
    assert judged["test"].predictions.labels.tolist() == expected


def test_labels_that_the_model_lacks_are_refused_with_both_lists_and_can_be_mapped(config) -> None:
    own = config(labels=("1", "5"))
    with pytest.raises(SentexpError) as refused:
        judge(trained(), load_reviews(own), own)
    assert "has the labels 1, 5, the model has neg, pos; expected data.label_map={" in str(refused.value)
    own = config("data.label_map={1: neg, 5: pos}", labels=("1", "5"))
    assert set(judge(trained(), load_reviews(own), own)) == {"valid", "test"}


def test_a_model_that_saw_padding_in_training_sees_the_same_padding(config, monkeypatch) -> None:
    model, own = trained(), config()
    model.config.update(trainer={"bucket": False, "batch_size": 3, "max_tokens": None})
    sizes = []
    predict = "sentexp.evaluation.predict"
    original = judge.__globals__["evaluation"].predict
    monkeypatch.setattr(predict, lambda *args, planned, **rest: sizes.append(len(planned)) or original(*args, **rest))
    judge(model, load_reviews(own), own)
    assert sizes == [1, 3]


def test_classes_in_another_order_say_the_same(config) -> None:
    model, own = trained(), config()
    given = judge(model, load_reviews(own), own)["test"].predictions
    turned = reordered(given, ["neg", "pos"], ["pos", "neg"])
    assert torch.equal(turned.probabilities, given.probabilities.flip(1))
    assert torch.equal(turned.labels, 1 - given.labels)
    assert turned.loss == given.loss


def test_test_reviews_that_the_model_was_trained_on_are_counted(config) -> None:
    model, own, other = trained(), config(), config("data.seed=1")
    model.config.update(data=plain(own.data))
    assert seen_before(model, load_reviews(own), own).notes == []
    older = {key: value for key, value in plain(own.data).items() if key not in ("labels", "unlabelled")}
    assert seen_before(dataclasses.replace(model, config={"data": older}), load_reviews(own), own).notes == []
    test, train = load_reviews(other).splits["test"]["text"], load_reviews(own, ["train"]).splits["train"]["text"]
    seen = len(set(test) & set(train))
    assert seen > 0
    (note,) = seen_before(model, load_reviews(other), other).notes
    assert note == f"{seen} of the 8 test reviews are among those it was trained on: its values say too much"


def test_training_reviews_that_are_gone_are_told_since_nothing_is_known_then(config) -> None:
    model, other = trained(), config()
    model.config.update(data={**plain(other.data), "path": "nowhere.csv"})
    (note,) = seen_before(model, load_reviews(other), other).notes
    assert note.startswith("whether it was trained on some of these test reviews is not known: data.path=nowhere.csv")


def test_other_reviews_than_those_of_the_training_need_no_word(config, tmp_path) -> None:
    model, own = trained(), config()
    path = tmp_path / "others.csv"
    path.write_text("text,label\n" + "".join(f"film {row},{('neg', 'pos')[row % 2]}\n" for row in range(20)))
    model.config.update(data={**plain(own.data), "path": str(path)})
    assert seen_before(model, load_reviews(own), own).notes == []


def test_a_model_with_books_knows_its_texts_again_when_its_data_are_gone(config) -> None:
    own, other = config(), config("data.seed=1")
    reviews = load_reviews(own, ["train", "test"])
    books = Books().seen_by("classifier", Texts.of(reviews, "train"))
    model = trained(books=books)
    model.config.update(data={**plain(own.data), "path": "nowhere.csv"})
    judged_by = load_reviews(other)
    test, train = judged_by.splits["test"]["text"], set(reviews.splits["train"]["text"])
    found = seen_before(model, judged_by, other)
    count = sum(text in train for text in test)
    assert found.notes == [f"{count} of the 8 test reviews are among those it was trained on: its values say too much"]
    assert found.overlap is not None
    assert not found.overlap.transductive


def test_a_model_that_has_seen_texts_of_the_test_is_transductive(config) -> None:
    own = config()
    reviews = load_reviews(own, ["train", "test"])
    as_unlabelled = dataclasses.replace(Texts.of(reviews, "test"), digest="other", split="unlabelled")
    books = Books().seen_by("vocabulary", as_unlabelled).seen_by("classifier", Texts.of(reviews, "train"))
    model = trained(books=books)
    model.config.update(data=plain(own.data))
    found = seen_before(model, part_of(reviews, ["test"]), own)
    assert found.overlap is not None
    assert found.overlap.transductive
    (note,) = found.notes
    assert note.startswith(
        "transductive: 8 of the 8 test reviews (100.0 %) are among the texts that the model has seen"
    )
