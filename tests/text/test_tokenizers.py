from __future__ import annotations

import functools
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.errors import SentexpError
from sentexp.text.tokenizers import (
    BasicTokenizer,
    CallableTokenizer,
    SpacyTokenizer,
    WhitespaceTokenizer,
    tokenize_spans,
)

TEXTS = st.text(alphabet=st.sampled_from("abcDON'T’snt019.,:;)(-_!? \n\t\xa0é<>/&"), max_size=60)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's good, isn't it?", ["It", "'s", "good", ",", "is", "n't", "it", "?"]),
        ("can't DON'T won’t", ["ca", "n't", "DO", "N'T", "wo", "n’t"]),
        ("7/10, 1,000.50 at 10:30", ["7", "/", "10", ",", "1,000.50", "at", "10:30"]),
        ("Wow!!! Well... 'quoted'", ["Wow", "!!!", "Well", "...", "'", "quoted", "'"]),
        ("five o'clock well-made", ["five", "o'clock", "well", "-", "made"]),
        ("snake_case 10th café's", ["snake", "_", "case", "10th", "café", "'s"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_basic_splits_as_the_penn_treebank_does(text, words):
    assert BasicTokenizer()(text) == words


@given(TEXTS)
def test_basic_loses_nothing_but_white_space(text):
    assert "".join(BasicTokenizer()(text)) == "".join(text.split())


@given(TEXTS)
def test_whitespace_and_basic_tokenize_span_by_span_as_they_tokenize_the_whole(text):
    for tokenizer in (WhitespaceTokenizer(), BasicTokenizer()):
        assert [token for span in tokenize_spans(tokenizer, text.split()) for token in span] == tokenizer(text)


@settings(deadline=None)  # the first example loads spaCy
@given(st.lists(TEXTS.map(lambda text: "".join(text.split())).filter(bool), max_size=20))
def test_spacy_tokenizes_many_spans_at_once_as_one_by_one(spans):
    assert tokenize_spans(SPACY, spans) == SPACY.tokenize_spans(spans) == [SPACY(span) for span in spans]


SPACY = SpacyTokenizer()


@functools.cache
def blank():
    import spacy

    return spacy.blank("en")


@settings(deadline=None)
@given(TEXTS)
def test_spacy_gives_the_tokens_of_the_blank_pipeline(text):
    assert SPACY(text) == [token.text for token in blank()(text) if not token.is_space]


def test_spacy_lemma_replaces_tokens_by_their_entry():
    pytest.importorskip("spacy_lookups_data")
    assert SpacyTokenizer(lemmas=True)("She Goes home") == ["She", "go", "home"]


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("zzz", r"^tokenizer.language=zzz: not a language of spaCy's"),
        ("", r"^tokenizer.language=: not a language of spaCy's"),
    ],
)
def test_an_unknown_language_is_refused(language, message):
    with pytest.raises(SentexpError, match=message):
        SpacyTokenizer(language)("text")


def test_lemmas_of_a_language_without_a_table_are_refused():
    pytest.importorskip("spacy_lookups_data")
    with pytest.raises(SentexpError, match=r"^tokenizer.lemmas=true: .* no look-up table for tokenizer.language=xx"):
        SpacyTokenizer("xx", lemmas=True)("text")


def test_a_vocabulary_that_has_grown_starts_again(monkeypatch):
    tokenizer = SpacyTokenizer()
    assert tokenizer("one film") == ["one", "film"]
    first = tokenizer._spacy
    monkeypatch.setattr("sentexp.text.spacy_tokenizer.MAX_STRINGS", 10)
    assert tokenizer("one film") == ["one", "film"]
    assert tokenizer._spacy is not first


@pytest.mark.parametrize(
    "tokenizer", [SpacyTokenizer(), BasicTokenizer(), WhitespaceTokenizer(), CallableTokenizer("textwrap.wrap")]
)
def test_tokenizers_travel_to_other_processes(tokenizer):
    before = tokenizer("a film, good")
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy("a film, good") == before
    assert copy.key == tokenizer.key


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("shlex.split", None),
        ("nomodule.f", r"^tokenizer.path=nomodule.f: cannot be imported .*package.module.function"),
        ("shlex.nofunction", r"^tokenizer.path=shlex.nofunction: cannot be imported"),
        ("split", r"^tokenizer.path=split: expected package.module.function"),
        ("string.digits", r"^tokenizer.path=string.digits: is str, expected a function"),
        ("builtins.len", r"^tokenizer.path=builtins.len: returned int, expected a list of str"),
        ("builtins.tuple", r"^tokenizer.path=builtins.tuple: returned tuple"),
        ("json.loads", r"^tokenizer.path=json.loads: failed with JSONDecodeError: .*'some text'"),
    ],
)
def test_a_callable_gives_a_list_of_str_or_a_clear_message(path, message):
    if message is None:
        assert CallableTokenizer(path)("some text") == ["some", "text"]
        return
    with pytest.raises(SentexpError, match=message):
        CallableTokenizer(path)("some text")


def test_a_list_of_something_else_is_refused():
    with pytest.raises(SentexpError, match=r"returned a list with int, expected a list of str"):
        CallableTokenizer("json.loads")("[1]")


def test_an_edited_function_is_another_tokenizer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = []
    for body in ("text.split()", "list(text)"):
        (tmp_path / "edited_words.py").write_text(f"def cut(text):\n    return {body}\n")
        sys.modules.pop("edited_words", None)
        keys.append(CallableTokenizer("edited_words.cut").key)
    assert keys[0] != keys[1]
