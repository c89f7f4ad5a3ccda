from __future__ import annotations

import dataclasses
import itertools
import logging
import shutil
import threading
from pathlib import Path

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.text import raw_tokens
from sentexp.text.cleaning import Cleaning
from sentexp.text.pipeline import TextPipeline
from sentexp.text.tokenizers import BasicTokenizer, WhitespaceTokenizer
from sentexp.text.vocabulary import Vocabulary

TEXTS = {
    "train": ["A good film .", "a bad film , a very bad film", "<br />Good &amp; cheap", "42"],
    "valid": ["An unheard good film"],
    "test": ["bad", "never seen before"],
}


def reviews_of(texts: dict[str, list[str]]) -> Reviews:
    splits = {
        split: datasets.Dataset.from_dict({"text": rows, "label": [number % 2 for number in range(len(rows))]})
        for split, rows in texts.items()
    }
    digests = {split: str(abs(hash(tuple(rows)))) for split, rows in texts.items()}
    return Reviews(datasets.DatasetDict(splits), ["neg", "pos"], digests, "test")


def pipeline(**settings) -> TextPipeline:
    return TextPipeline(settings.pop("clean", Cleaning()), settings.pop("tokenizer", BasicTokenizer()), **settings)


def tokens_of(pipeline: TextPipeline, corpus) -> list[list[str]]:
    offsets = corpus.offsets.tolist()
    return [
        [pipeline.vocabulary.itos[id] for id in corpus.ids[first:last].tolist()]
        for first, last in itertools.pairwise(offsets)
    ]


def test_reviews_become_the_ids_of_their_tokens(tmp_path: Path) -> None:
    text = pipeline()
    corpora = text.prepare(reviews_of(TEXTS), tmp_path)
    assert tokens_of(text, corpora["train"])[0] == ["a", "good", "film", "."]
    assert tokens_of(text, corpora["train"])[2] == ["good", "&", "cheap"]
    assert corpora["train"].labels.tolist() == [0, 1, 0, 1]
    assert text.vocabulary.itos[:3] == ["<unk>", "<pad>", "a"]


def test_the_vocabulary_is_of_the_training_reviews_alone(tmp_path: Path) -> None:
    text = pipeline()
    corpora = text.prepare(reviews_of(TEXTS), tmp_path)
    assert "unheard" not in text.vocabulary.stoi
    assert tokens_of(text, corpora["valid"]) == [["<unk>", "<unk>", "good", "film"]]


UNLABELLED = {**TEXTS, "unlabelled": ["heard of nobody", "nobody cheap", "unheard"]}


def test_unlabelled_reviews_are_encoded_and_their_words_are_counted_unless_told_otherwise(tmp_path: Path) -> None:
    counted, left_out = pipeline(min_freq=2), pipeline(min_freq=2, unlabelled=False)
    corpora = counted.prepare(reviews_of(UNLABELLED), tmp_path)
    assert tokens_of(counted, corpora["unlabelled"])[1] == ["nobody", "cheap"]
    assert {"nobody", "cheap"} <= set(counted.vocabulary.itos)
    left_out.prepare(reviews_of(UNLABELLED), tmp_path)
    alone = pipeline(min_freq=2)
    alone.prepare(reviews_of(TEXTS), tmp_path)
    assert left_out.vocabulary == alone.vocabulary != counted.vocabulary
    assert counted.report["words"] == alone.report["words"] + 4
    told = [text.report_lines()[-2].rpartition(", of ")[2] for text in (counted, left_out, alone)]
    assert told == [
        "14 different ones in training and unlabelled reviews", *["10 different ones in training reviews"] * 2,
    ]  # fmt: skip


def test_without_unlabelled_reviews_the_cache_has_the_key_that_it_always_had(tmp_path: Path) -> None:
    reviews = dataclasses.replace(reviews_of(TEXTS), digests={"train": "a", "valid": "b", "test": "c"})
    for unlabelled in (True, False):
        pipeline(unlabelled=unlabelled).prepare(reviews, tmp_path)
    assert [entry.name for entry in (tmp_path / "encoded").iterdir()] == ["31335369d660b9b0de91c181740219ac"]


def test_a_review_without_a_token_left_is_one_unknown_token_and_counted(tmp_path: Path) -> None:
    text = pipeline(clean=Cleaning(numbers=True))
    corpora = text.prepare(reviews_of(TEXTS), tmp_path)
    assert tokens_of(text, corpora["train"])[3] == ["<unk>"]
    assert text.report["train/empty"] == 1


def test_init_and_eos_tokens_stand_around_each_review_and_count(tmp_path: Path) -> None:
    text = pipeline(init_token="<sos>", eos_token="<eos>", max_length=4, truncate="tail")
    corpora = text.prepare(reviews_of(TEXTS), tmp_path)
    assert tokens_of(text, corpora["train"])[0] == ["<sos>", "film", ".", "<eos>"]
    assert tokens_of(text, corpora["test"])[0] == ["<sos>", "bad", "<eos>"]


@pytest.mark.parametrize(
    "other",
    [
        {"max_size": 3},
        {"min_freq": 2},
        {"max_length": 2},
        {"clean": Cleaning(lowercase=False)},
        {"tokenizer": WhitespaceTokenizer()},
        {"eos_token": "<eos>"},
    ],
)
def test_other_settings_never_meet_the_cache_of_these(tmp_path: Path, other: dict) -> None:
    pipeline().prepare(reviews_of(TEXTS), tmp_path)
    fresh, cached = pipeline(**other), pipeline(**other)
    expected = tokens_of(fresh, fresh.prepare(reviews_of(TEXTS), tmp_path / "elsewhere")["train"])
    assert tokens_of(cached, cached.prepare(reviews_of(TEXTS), tmp_path)["train"]) == expected
    assert cached.report["from_cache"] == 0


def test_a_second_start_reads_the_cache_and_gives_the_same(tmp_path: Path, monkeypatch) -> None:
    first, second = pipeline(), pipeline()
    before = first.prepare(reviews_of(TEXTS), tmp_path)
    monkeypatch.setattr(BasicTokenizer, "__call__", None)
    monkeypatch.setattr(raw_tokens, "_tokenize", None)
    after = second.prepare(reviews_of(TEXTS), tmp_path)
    assert second.report["from_cache"] == 1
    for split in TEXTS:
        assert after[split].ids.tolist() == before[split].ids.tolist()
    assert second.vocabulary.itos == first.vocabulary.itos


@pytest.mark.parametrize("damaged", ["encoded", "tokens"])
def test_a_cut_file_is_noticed_and_built_again(tmp_path: Path, damaged: str, caplog) -> None:
    text = pipeline()
    expected = tokens_of(text, text.prepare(reviews_of(TEXTS), tmp_path)["train"])
    for file in (tmp_path / damaged).rglob("*"):
        if file.is_file() and file.suffix != ".lock":
            file.write_bytes(file.read_bytes()[:-1])
    if damaged == "tokens":
        shutil.rmtree(tmp_path / "encoded")
    again = pipeline()
    with caplog.at_level(logging.WARNING, logger="sentexp"):
        assert tokens_of(again, again.prepare(reviews_of(TEXTS), tmp_path)["train"]) == expected
    assert "building it anew" in caplog.text


def test_several_at_once_on_one_cache_all_succeed(tmp_path: Path) -> None:
    results: list[list[list[str]]] = []

    def prepare() -> None:
        text = pipeline()
        results.append(tokens_of(text, text.prepare(reviews_of(TEXTS), tmp_path)["train"]))

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)


def test_several_processes_give_what_one_gives(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(raw_tokens, "SMALL_BYTES", 0)
    monkeypatch.setattr(raw_tokens, "BYTES_PER_CHUNK", 100)
    texts = {split: rows * 20 for split, rows in TEXTS.items()}
    one, two = pipeline(), pipeline()
    first = one.prepare(reviews_of(texts), tmp_path / "one", processes=1)
    second = two.prepare(reviews_of(texts), tmp_path / "two", processes=2)
    for split in texts:
        assert second[split].ids.tolist() == first[split].ids.tolist()
        assert second[split].offsets.tolist() == first[split].offsets.tolist()


def test_a_folder_that_cannot_be_written_is_said_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SentexpError, match=r"^cache_dir="):
        pipeline().prepare(reviews_of(TEXTS), tmp_path / "file")


def test_cleaning_that_leaves_no_token_still_encodes(tmp_path: Path) -> None:
    texts = {"train": ["1 2", "3"], "valid": ["4"], "test": ["5"]}
    text = pipeline(clean=Cleaning(numbers=True))
    corpora = text.prepare(reviews_of(texts), tmp_path)
    assert tokens_of(text, corpora["train"]) == [["<unk>"], ["<unk>"]]


PIECES = st.sampled_from(["good", "Bad", "film", " ", "  ", ".", "<br />", "&amp;", "42", "n't", "é", "\n"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(PIECES, max_size=15).map("".join), min_size=1, max_size=6),
    clean=st.builds(Cleaning, html=st.booleans(), lowercase=st.booleans(), punctuation=st.booleans()),
    max_length=st.none() | st.integers(3, 9),
    truncate=st.sampled_from(["head", "tail", "head_tail"]),
    eos=st.none() | st.just("<eos>"),
)
def test_a_new_text_is_encoded_as_a_prepared_one(tmp_path_factory, texts, clean, max_length, truncate, eos) -> None:
    text = pipeline(clean=clean, max_length=max_length, truncate=truncate, eos_token=eos)
    corpus = text.prepare(reviews_of({**TEXTS, "test": texts}), tmp_path_factory.mktemp("cache"))["test"]
    new = text.encode(texts)
    assert new.ids.tolist() == corpus.ids.tolist()
    assert new.offsets.tolist() == corpus.offsets.tolist()
    assert new.labels.tolist() == [-1] * len(texts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"specials": ["<unk>"]}, r"^a vocabulary without <pad>; expected"),
        ({"specials": ["<unk>", "<pad>", "<pad>"]}, r"'<pad>' twice"),
        ({"truncate": "tial"}, r"^truncate='tial': not one of head, tail, head_tail; did you mean tail\?"),
        ({"head_fraction": 1.5}, r"^head_fraction=1.5: expected a number from 0 to 1"),
        ({"max_length": 9, "fix_length": 8}, r"^max_length=9 and fix_length=8: expected one of them"),
        ({"max_length": 1, "eos_token": "<eos>"}, r"^a length of 1 leaves no room .* expected 2 or more"),
        ({"fix_length": 2, "eos_token": "<eos>", "init_token": "<sos>"}, r"^a length of 2 .* expected 3 or more"),
        ({"eos_token": "<eos>", "vocabulary": Vocabulary(["<unk>", "<pad>"])}, r"^<eos> is not in the vocabulary"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline(**arguments)


def test_a_tokenizer_of_ones_own_needs_a_key_and_a_call_also_across_processes(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "tokenizers_of_mine.py").write_text(
        "class Pairs:\n"
        "    def __init__(self, step):\n        self.key = f'pairs {step}'\n        self.step = step\n"
        "    def __call__(self, text):\n"
        "        return [text[start : start + 2] for start in range(0, len(text), self.step)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(raw_tokens, "SMALL_BYTES", 0)
    monkeypatch.setattr(raw_tokens, "BYTES_PER_CHUNK", 100)
    from tokenizers_of_mine import Pairs

    texts = {split: rows * 20 for split, rows in TEXTS.items()}
    one, two, other = pipeline(tokenizer=Pairs(2)), pipeline(tokenizer=Pairs(2)), pipeline(tokenizer=Pairs(1))
    first = one.prepare(reviews_of(texts), tmp_path / "one", processes=1)
    second = two.prepare(reviews_of(texts), tmp_path / "two", processes=2)
    assert tokens_of(one, first["train"])[0] == ["a ", "go", "od", " f", "il", "m ", "."]
    for split in texts:
        assert tokens_of(two, second[split]) == tokens_of(one, first[split])
    assert tokens_of(one, one.encode(["bad"])) == [["ba", "<unk>"]]
    assert tokens_of(other, other.prepare(reviews_of(texts), tmp_path / "one")["train"])[0][:3] == ["a ", " g", "go"]


def test_rebuilt_from_its_arguments_and_its_vocabulary_it_does_the_same(tmp_path: Path) -> None:
    text = pipeline(max_length=5)
    text.prepare(reviews_of(TEXTS), tmp_path)
    rebuilt = pipeline(max_length=5, vocabulary=text.vocabulary)
    new = ["a good unseen film , &amp; cheap"]
    assert rebuilt.encode(new).ids.tolist() == text.encode(new).ids.tolist()


def test_half_a_surrogate_pair_is_taken_as_an_unknown_character() -> None:
    text = pipeline(vocabulary=Vocabulary(["<unk>", "<pad>", "good", "\N{REPLACEMENT CHARACTER}", "\N{PILE OF POO}"]))
    assert tokens_of(text, text.encode(["good \ud83d good", "\ud83d\udca9"])) == [
        ["good", "\N{REPLACEMENT CHARACTER}", "good"],
        ["\N{PILE OF POO}"],
    ]


def test_a_trace_tells_what_became_of_each_token() -> None:
    vocabulary = Vocabulary(["<unk>", "<pad>", "<sos>", "good", "film"])
    text = pipeline(clean=Cleaning(punctuation=True), init_token="<sos>", max_length=3, vocabulary=vocabulary)
    assert [tuple(token) for token in text.trace("Good, odd film")] == [
        ("<sos>", 2, "added"),
        ("Good", 3, "read"),
        (",", None, "dropped"),
        ("odd", 0, "read"),
        ("film", None, "cut"),
    ]
    assert [tuple(token) for token in text.trace("!")] == [
        ("<sos>", 2, "added"),
        ("!", None, "dropped"),
        ("<unk>", 0, "added"),
    ]


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab1.,! <&\U0001f600\x1b")) | st.text(),
    st.builds(Cleaning, punctuation=st.booleans(), numbers=st.booleans()),
    st.none() | st.integers(3, 6),
    st.sampled_from(["head", "tail", "head_tail"]),
    st.booleans(),
)
def test_a_trace_has_the_ids_that_the_text_is_encoded_as_and_every_token(
    text, clean, longest, truncate, around
) -> None:
    own = Vocabulary(["<unk>", "<pad>", "<sos>", "<eos>", "a", "b", "!"])
    ends = {"init_token": "<sos>", "eos_token": "<eos>"} if around else {}
    made = pipeline(clean=clean, max_length=longest, truncate=truncate, vocabulary=own, **ends)
    traced = made.trace(text)
    assert [token.id for token in traced if token.id is not None] == made.encode([text]).ids.tolist()
    without_half_pairs = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    tokens = BasicTokenizer()(clean.text(without_half_pairs))
    assert [token.text for token in traced if token.fate != "added"] == tokens
    assert all((token.id is None) == (token.fate in ("dropped", "cut")) for token in traced)
