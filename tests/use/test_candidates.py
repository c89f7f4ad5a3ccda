from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_model import BAG_OF_WORDS, ensemble, trained

from sentexp.books import Books, Texts
from sentexp.config import plain
from sentexp.errors import SentexpError
from sentexp.schema import Config
from sentexp.trained_model import TrainedModel
from sentexp.use.candidates import check_reviews, find_candidates
from sentexp.use.judging import load_reviews

Save = Callable[[str, TrainedModel, Config], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def saved(name: str, model: TrainedModel, own: Config) -> Path:
        model.config.update(data=plain(own.data))
        model.save(tmp_path / name)
        return tmp_path / name

    return saved


def checked(*runs: Path, overrides: tuple[str, ...] = ()) -> None:
    candidates = find_candidates(runs, overrides, None, trust=False)
    check_reviews(candidates, load_reviews(candidates[0].config))


def refusal(*runs: Path, overrides: tuple[str, ...] = ()) -> str:
    with pytest.raises(SentexpError) as refused:
        checked(*runs, overrides=overrides)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_runs_whose_data_are_written_differently_belong_together_if_the_reviews_are_the_same(config, save) -> None:
    a, b = save("a", trained(), config()), save("b", trained(BAG_OF_WORDS), config("data.delimiter=comma"))
    checked(a, b)
    checked(a, save("c", trained(), config("data.limit=1000")))  # there are fewer


@pytest.mark.parametrize(
    ("override", "called"),
    [
        ("data.seed=1", "validation"),
        ("data.valid_fraction=0.3", "validation"),
        ("data.valid_fraction=0", "validation"),
        ("data.test_fraction=0.3", "validation"),
    ],
)
def test_other_validation_reviews_are_refused(config, save, override: str, called: str) -> None:
    a, b = save("a", trained(), config()), save("b", trained(BAG_OF_WORDS), config(override))
    said = refusal(a, b)
    assert said.startswith(f"{b}: has other {called} reviews than {a}; expected runs on the same data")
    assert refusal(b, a).startswith(f"{a}: has other {called} reviews than {b}")


def test_other_test_reviews_are_refused_where_the_validation_reviews_are_the_same(config, save, tmp_path: Path) -> None:
    config()
    rows = (tmp_path / "reviews.csv").read_text()
    (tmp_path / "train.csv").write_text(rows)
    for name, count in (("one", 9), ("other", 11)):
        (tmp_path / f"{name}.csv").write_text("\n".join(rows.split("\n")[:count]) + "\n")
    runs = []
    for name in ("one", "other"):
        words = ["data.path=null", f"data.train={tmp_path}/train.csv", f"data.test={tmp_path}/{name}.csv"]
        runs.append(save(name, trained(), config(*words)))
    assert refusal(*runs).startswith(f"{runs[1]}: has other test reviews than {runs[0]}")


def test_validation_reviews_that_have_changed_since_the_training_are_refused(config, save) -> None:
    own = config()
    reviews = load_reviews(own)
    then = dataclasses.replace(Texts.of(reviews, "valid"), digest="0" * 32)
    a = save("a", trained(books=Books().seen_by("selection", Texts.of(reviews, "valid"))), own)
    b = save("b", trained(books=Books().seen_by("selection", then)), own)
    assert refusal(a, b) == f"{b}: its validation reviews are no longer those of its training"


def test_overrides_of_data_hold_for_all_runs(config, save, tmp_path: Path) -> None:
    own = config()
    moved = tmp_path / "moved.csv"
    a, b = save("a", trained(), own), save("b", trained(BAG_OF_WORDS), own)
    Path(own.data.path).rename(moved)
    assert "reviews.csv: no such file" in refusal(a, b)
    checked(a, b, overrides=(f"data.path={moved}",))


def test_what_does_not_belong_together_is_one_line(config, save, tmp_path: Path) -> None:
    own = config()
    a, b = save("a", trained(), own), save("b", trained(labels=("x", "y")), own)
    assert refusal(a, b) == f"{b}: has the labels x, y; expected neg, pos, as {a} has"
    assert refusal(a, tmp_path / "b" / ".." / "a") == f"{tmp_path}/b/../a: the same model as {a}; expected each once"
    assert "nowhere: no such folder" in refusal(a, tmp_path / "nowhere")
    ensemble(0.5, 0.5).save(tmp_path / "both")
    assert refusal(a, tmp_path / "both").endswith("expected one model, such as its member run 0")
    trained().save(tmp_path / "without")
    without = tmp_path / "without"
    assert refusal(a, without).startswith(f"{without}: data: the run has recorded none; expected data=...")
    assert refusal(a, overrides=("model.hidden_size=3",)).startswith(f"{a}: model.hidden_size=3: the model stays")
