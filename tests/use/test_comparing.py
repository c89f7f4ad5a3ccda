from __future__ import annotations

import dataclasses
from itertools import islice

import numpy as np
import pytest
import torch
from made_up_model import BAG_OF_WORDS, trained

from sentexp import statistics
from sentexp.books import Books, Texts
from sentexp.errors import SentexpError
from sentexp.trained_model import TrainedModel
from sentexp.use.comparing import ABSENT, Comparison, compare, letters
from sentexp.use.evaluating import right_answers
from sentexp.use.judging import load_reviews


def turned(model: TrainedModel) -> TrainedModel:
    """The same model with its classes in the other order."""
    weights = model.model.state_dict()
    for name in ("head.weight", "head.bias"):
        weights[name] = -weights[name]
    model.model.load_state_dict(weights)
    return TrainedModel(model.pipeline, model.model, model.labels[::-1], model.config)


def compared(config, *models: TrainedModel) -> Comparison:
    own = config(reviews=200)
    named = [(f"model {number}", f"{number:032x}", model) for number, model in enumerate(models)]
    return compare(named, load_reviews(own, ["test"]), own)


def test_a_model_does_not_differ_from_itself_with_its_classes_turned(config) -> None:
    found = compared(config, trained(), turned(trained()))
    (test,) = found.tests
    assert (test.only_first, test.only_this, test.p) == (0, 0, 1)
    for name, difference in test.differences.items():
        assert (difference.value, difference.low, difference.high) == pytest.approx((0, 0, 0), abs=1e-6), name
    assert len(found.parameters) == len(found.disagreements) == 0


def test_each_model_predicts_with_its_own_pipeline(config) -> None:
    upper = trained()
    upper.config["text"]["clean"]["html"] = False
    white_space = trained(tokenizer={"_target_": "sentexp.text.tokenizers.WhitespaceTokenizer"})
    found = compared(config, upper, white_space, trained(BAG_OF_WORDS, one_hot=False))
    reviews = load_reviews(config(reviews=200), ["test"]).splits["test"]["text"][:]
    for one, model in zip(found.contestants, (upper, white_space, trained(BAG_OF_WORDS)), strict=True):
        torch.testing.assert_close(one.predictions.probabilities, model.predict(reviews), rtol=0, atol=1e-6)


def test_differences_and_counts_are_those_of_the_same_reviews(config) -> None:
    found = compared(config, trained(), trained(BAG_OF_WORDS))
    first, second = (right_answers(one.predictions) for one in found.contestants)
    (test,) = found.tests
    assert (test.only_first, test.only_this) == (int((first & ~second).sum()), int((second & ~first).sum()))
    assert test.p == statistics.mcnemar(test.only_first, test.only_this)
    accuracy = test.differences["accuracy"]
    assert accuracy.value == pytest.approx(second.mean() - first.mean())
    assert accuracy.low <= accuracy.value <= accuracy.high
    answers = [one.predictions.answers.numpy() for one in found.contestants]
    assert sorted(found.disagreements["row"]) == np.flatnonzero(answers[0] != answers[1]).tolist()


def test_the_reviews_they_disagree_on_come_with_place_labels_and_text(config) -> None:
    opposite = TrainedModel(trained().pipeline, trained().model, ["pos", "neg"], trained().config)
    table = compared(config, trained(), opposite).disagreements
    assert list(table.columns) == ["row", "place", "true", "A", "A probability", "B", "B probability", "text"]
    assert len(table) == 40
    assert (table["A"] != table["B"]).all()
    assert table["place"].str.contains(r"reviews\.csv:\d+").all()
    both = table["A probability"] + table["B probability"]
    assert (both.diff().dropna() <= 1e-6).all()  # the surest first
    assert set(table["text"].str.split().str[0]) <= {"a", "not"}


def test_parameters_that_differ_stand_side_by_side_and_absent_ones_are_marked(config) -> None:
    table = compared(config, trained(), trained(BAG_OF_WORDS), trained(fix_length=9)).parameters.set_index("parameter")
    assert list(table.columns) == ["A", "B", "C"]
    assert table.loc["text.fix_length"].tolist() == ["null", "null", "9"]
    assert table.loc["model.hidden_size"].tolist() == ["6", ABSENT, "6"]
    assert table.loc["model._target_"].tolist() == [
        "classifier.RecurrentClassifier", "bag_of_words.BagOfWordsClassifier", "classifier.RecurrentClassifier",
    ]  # fmt: skip
    assert not [key for key in table.index if key.startswith("tracking")]


def test_models_that_have_seen_texts_of_the_test_stand_apart_with_a_star(config) -> None:
    reviews = load_reviews(config(reviews=200), ["test"])
    seen = dataclasses.replace(Texts.of(reviews, "test"), digest="other", split="unlabelled")
    transductive = trained(books=Books().seen_by("vocabulary", seen))
    found = compared(config, transductive, trained(), trained(BAG_OF_WORDS, books=Books()))
    assert [one.mark for one in found.contestants] == ["A*", "B", "C"]
    (first, inductive), (second, others) = found.by_kind()
    assert (first, [one.letter for one in inductive]) == ("inductive", ["B", "C"])
    assert second.startswith("* transductive")
    assert [one.letter for one in others] == ["A"]
    (note,) = found.notes
    assert note.startswith("A: transductive: 40 of the 40 test reviews (100.0 %)")
    assert found.mark_of("A") == "A*"
    ((heading, all_of_them),) = compared(config, trained(), trained()).by_kind()
    assert (heading, len(all_of_them)) == ("", 2)


def test_models_with_other_labels_are_refused(config) -> None:
    with pytest.raises(SentexpError, match=r"^model 1: has the labels a, b; expected neg, pos, as model 0 has$"):
        compared(config, trained(), trained(labels=("a", "b")))


def test_there_are_letters_for_as_many_models_as_one_likes() -> None:
    assert list(islice(letters(), 28))[24:] == ["Y", "Z", "AA", "AB"]
