from __future__ import annotations

import dataclasses
import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.errors import SentexpError
from sentexp.text.cleaning import Cleaning, clean_html, is_number, is_punctuation

NOTHING = Cleaning(html=False, lowercase=False)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("good<br /><br />film", "good  film"),
        ('<a href="x>y">here</a>', " here "),
        ("<!-- hidden -->seen", " seen"),
        ("<B>loud</B>", " loud "),
        ("I <3 this", "I <3 this"),
        ("a < b and c > d", "a < b and c > d"),
        ("5<6", "5<6"),
        ("an open <tag", "an open <tag"),
        ("salt &amp; pepper", "salt & pepper"),
        ("it&#39;s caf&eacute; &#x2013;", "it's café –"),
        ("&lt;b&gt; stays", "<b> stays"),
        ("AT&T, R&copy, Q&A", "AT&T, R&copy, Q&A"),
        ("&unheard;", "&unheard;"),
    ],
)
def test_tags_become_a_space_and_entities_their_character(text, cleaned):
    assert clean_html(text) == cleaned


@given(st.text(alphabet=st.characters(exclude_characters="<&", exclude_categories=["Cs"])))
def test_text_without_markup_stays_as_it_is(text):
    assert clean_html(text) == text


@given(st.text(alphabet="<>&;ab/!-\"'= #x1"))
def test_every_mixture_of_markup_characters_is_cleaned(text):
    assert isinstance(clean_html(text), str)


def test_long_unclosed_markup_takes_linear_time():
    assert clean_html("<a " * 50_000).startswith("<a ")
    assert clean_html("<!--" * 50_000).startswith("<!--")


@pytest.mark.parametrize("word", ["!", "...", "$", ":)", "“", "--", "<"])
def test_punctuation_alone_is_punctuation(word):
    assert is_punctuation(word)


@pytest.mark.parametrize("word", ["", ":D", "n't", "'s", "7", "a.m."])
def test_a_word_with_a_letter_or_digit_is_not_punctuation(word):
    assert not is_punctuation(word)


@pytest.mark.parametrize("word", ["7", "1,000", "-3.5", "7/10", "50%", "½", "٣"])
def test_digits_without_letters_are_a_number(word):
    assert is_number(word)


@pytest.mark.parametrize("word", ["10th", "ten", "B2", "", "-", "三"])
def test_words_with_letters_and_without_digits_are_no_numbers(word):
    assert not is_number(word)


@pytest.mark.parametrize(
    ("switch", "words", "expected"),
    [
        ("lowercase", ["Great", "FILM", "ok"], ["great", "film", "ok"]),
        ("punctuation", ["Great", "!", "..."], ["Great", None, None]),
        ("numbers", ["Great", "7/10", "10th"], ["Great", None, "10th"]),
        ("stop_words", ["The", "film", "was", "not", "n't"], [None, "film", None, None, None]),
    ],
)
def test_each_switch_does_its_own_thing_alone(switch, words, expected):
    cleaning = Cleaning(**{"html": False, "lowercase": False, switch: True})
    assert cleaning.tokens(words) == expected
    assert NOTHING.tokens(words) == words


def test_lemmas_are_found_whatever_the_case():
    pytest.importorskip("spacy_lookups_data")
    assert Cleaning(lowercase=False, lemmas=True).tokens(["goes", "Goes", "zorgblat"]) == ["go", "go", "zorgblat"]


def test_missing_lemma_package_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SentexpError, match=r"^text.clean.lemmas=true: needs the package spacy-lookups-data"):
        Cleaning(lemmas=True).tokens(["goes"], language="hr")


def test_a_language_without_lists_is_refused():
    with pytest.raises(SentexpError, match=r"text.clean.stop_words=true: .*tokenizer.language=xx"):
        Cleaning(stop_words=True).tokens(["a"], language="xx")


@given(st.lists(st.text(max_size=8), max_size=20), st.booleans(), st.booleans(), st.booleans())
def test_what_becomes_of_a_token_does_not_depend_on_its_neighbours(words, lowercase, punctuation, numbers):
    cleaning = Cleaning(lowercase=lowercase, punctuation=punctuation, numbers=numbers)
    assert cleaning.tokens(words) == [cleaning.tokens([word])[0] for word in words]


def test_the_key_tells_all_settings_apart():
    settings = [field.name for field in dataclasses.fields(Cleaning)]
    cleanings = [Cleaning(), *(Cleaning(**{name: not getattr(Cleaning(), name)}) for name in settings)]
    assert len({cleaning.key("en") for cleaning in cleanings}) == len(cleanings)
    assert Cleaning(stop_words=True).key("en") != Cleaning(stop_words=True).key("de")
