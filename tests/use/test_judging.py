from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from made_up_model import trained

from sentexp.errors import SentexpError
from sentexp.use.judging import judge, load_reviews, reordered
from sentexp.use.recorded_config import composed_over


def reviews_file(folder: Path, labels: tuple[str, ...] = ("neg", "pos"), reviews: int = 40) -> Path:
    path = folder / "reviews.csv"
    texts = [f"a good film {number}" if number % 3 else f"not bad {number}" for number in range(reviews)]
    pd.DataFrame({"text": texts, "label": [labels[row % len(labels)] for row in range(reviews)]}).to_csv(path)
    return path


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SENTEXP_CACHE_DIR", str(tmp_path / "cache"))

    def composed(*overrides: str, labels: tuple[str, ...] = ("neg", "pos")):
        path = reviews_file(tmp_path, labels)
        return composed_over(
            {}, ["data=files", f"data.path={path}", "trainer.device=cpu", "trainer.precision=fp32", *overrides]
        )

    return composed


def test_validation_and_test_reviews_are_predicted_as_the_model_does_it(config) -> None:
    model, own = trained(), config()
    reviews = load_reviews(own)
    judged = judge(model, reviews, own)
    assert {split: len(one.corpus) for split, one in judged.items()} == {"valid": 3, "test": 8}
    for split, one in judged.items():
        expected = model.predict(reviews.splits[split]["text"][:])
        torch.testing.assert_close(one.predictions.probabilities, expected, rtol=0, atol=1e-6)


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
