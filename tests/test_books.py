from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentexp.books import CLASSIFIER, FACTS, HASHES, SELECTION, START, VOCABULARY, Books, Texts
from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError

WORDS = st.lists(st.sampled_from("abcdef"), max_size=6)


def texts(found: list[str], split: str, digest: str | None = None, named: bool = False) -> Texts:
    rows = datasets.Dataset.from_dict({"text": found, "label": [0] * len(found)}, datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.Value("int64")}
    ))  # fmt: skip
    digests = {"test": "of the test", split: digest or f"{split} {found}"}
    reviews = Reviews(datasets.DatasetDict({split: rows}), ["x"], digests, "here", test_as_unlabelled=named)
    return Texts.of(reviews, split)


TRAIN, VALID, MORE = texts(["a", "b"], "train"), texts(["c"], "valid"), texts(["d", "e", "e"], "unlabelled")
BOOKS = Books().seen_by(VOCABULARY, TRAIN, MORE).seen_by(CLASSIFIER, TRAIN).seen_by(SELECTION, VALID)


def test_the_tag_names_the_digests_that_each_part_has_seen() -> None:
    assert json.loads(BOOKS.seen_by("vectors", "glove 6B").tag()) == {
        "vocabulary": [TRAIN.digest, MORE.digest],
        "classifier": [TRAIN.digest],
        "selection": [VALID.digest],
        "vectors": ["glove 6B"],
    }
    assert BOOKS.seen_by(VOCABULARY, MORE).tag() == BOOKS.tag()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=WORDS, valid=WORDS, more=WORDS, test=WORDS, counted=st.booleans())
def test_test_reviews_are_counted_that_stand_among_texts_without_labels(
    tmp_path: Path, train, valid, more, test, counted
) -> None:
    of_train, of_more = texts(train, "train"), texts(more, "unlabelled")
    books = Books().seen_by(VOCABULARY, of_train, *([of_more] if counted else []))
    books = books.seen_by(CLASSIFIER, of_train).seen_by(SELECTION, texts(valid, "valid"))
    books.save(tmp_path)
    loaded = Books.load(tmp_path)
    assert loaded is not None
    for kept in (books, loaded):
        overlap = kept.overlap(texts(test, "test"))
        assert (overlap.count, overlap.reviews) == (sum(one in more for one in test) if counted else 0, len(test))
        assert kept.trained_on(texts(test, "test")) == sum(one in train for one in test)
    assert loaded.tag() == books.tag()


@pytest.mark.parametrize(
    ("seen", "named", "transductive", "said"),
    [
        (0, False, False, ""),
        (2, False, False, "2 of the 100 test reviews (2.0 %) are among the texts that .*; up to 2 % counts as chance"),
        (3, False, True, "transductive: 3 of the 100 test reviews (3.0 %) are among .* not to be ranked with models"),
        (0, True, True, "transductive: 0 of the 100 .*, since their own source was named for unlabelled texts; not"),
    ],
)
def test_up_to_two_in_a_hundred_are_chance_unless_the_test_itself_was_named(seen, named, transductive, said) -> None:
    test = texts([f"text {row}" for row in range(100)], "test", "of the test")
    more = texts([f"text {row}" for row in range(seen)] + ["z"] * 500, "unlabelled", named=named)
    overlap = Books().seen_by(CLASSIFIER, more).overlap(test)
    assert (overlap.count, overlap.transductive) == (seen, transductive)
    first, _, last = said.partition(".*")
    assert overlap.line.startswith(first)
    assert last in overlap.line
    assert bool(overlap.line) == bool(said)
    other = texts([f"text {row}" for row in range(100)], "test", "of another test")
    assert Books().seen_by(CLASSIFIER, more).overlap(other).transductive == (seen > 2)


def test_what_a_run_started_from_has_seen_counts_whatever_it_was_to_that_run() -> None:
    language_model = BOOKS.seen_by("language_model", TRAIN, MORE).seen_by("vectors", "glove 6B")
    own = texts(["x", "a"], "train")
    started = Books().seen_by(CLASSIFIER, own).started_from(language_model)
    assert set(started.parts[START]) == {TRAIN.digest, VALID.digest, MORE.digest, "glove 6B"}
    for text, count in {"a": 1, "c": 1, "e": 1, "x": 0}.items():
        assert started.overlap(texts([text], "test")).count == count
    same = Books().seen_by(CLASSIFIER, TRAIN).started_from(language_model)  # its own training reviews once more
    assert same.overlap(texts(["a"], "test")).count == 0


def test_models_that_answer_together_have_seen_what_each_has() -> None:
    other = Books().seen_by(CLASSIFIER, texts(["f"], "train")).seen_by(VOCABULARY, texts(["g"], "unlabelled"))
    together = BOOKS.joined([other])
    assert together.trained_on(texts(["a", "f", "z"], "test")) == 2
    assert together.overlap(texts(["d", "g", "a", "f"], "test")).count == 2


def test_white_space_around_a_text_makes_no_other_text_of_it() -> None:
    assert BOOKS.overlap(texts([" d\n", "d d"], "test")).count == 1


def test_a_folder_without_books_has_none(tmp_path: Path) -> None:
    assert Books.load(tmp_path) is None


def test_a_password_in_the_source_is_not_kept(tmp_path: Path) -> None:
    one = Texts("d", "train", "http://a:secret@b/c.csv", np.array([1], dtype=np.uint64))
    Books().seen_by(CLASSIFIER, one).save(tmp_path)
    assert "secret" not in (tmp_path / FACTS).read_text()


ONE = '{"parts": {}, "texts": [{"digest": "a", "split": "b", "source": SOURCE, "texts": COUNT, "test_digest": null}]}'


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (FACTS, "{"),
        (FACTS, "[]"),
        (FACTS, '{"parts": [], "texts": []}'),
        (FACTS, '{"parts": {"classifier": [3]}, "texts": []}'),
        (FACTS, ONE.replace("SOURCE", '"c"').replace("COUNT", "-1")),
        (FACTS, ONE.replace("SOURCE", '"c"').replace("COUNT", "4")),
        (FACTS, ONE.replace("SOURCE", "[]").replace("COUNT", "5")),
        (HASHES, "1234567"),
        (HASHES, "12345678"),
    ],
)  # fmt: skip
def test_damage_is_one_line_that_names_the_file(tmp_path: Path, file: str, content: str) -> None:
    BOOKS.save(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(SentexpError, match=rf"{FACTS}: damaged \(.*\); expected what a run writes there") as refusal:
        Books.load(tmp_path)
    assert "\n" not in str(refusal.value)


def test_nothing_heavy_is_imported_to_read_them() -> None:
    code = "import sys, sentexp.books; print([name for name in ('datasets', 'torch', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
