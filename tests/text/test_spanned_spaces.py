from __future__ import annotations

from sentexp.text.spanned_spaces import SpannedSpaces


def may_be_spanned(spanned_spaces: SpannedSpaces, left: str, right: str) -> bool:
    kinds = spanned_spaces.end_kind(left), spanned_spaces.start_kind(right)
    return spanned_spaces.table()[kinds[0]][kinds[1]]


def test_the_space_between_neighbours_within_an_exception_may_be_spanned():
    spanned_spaces = SpannedSpaces([(":", ")")], [":)"])
    assert may_be_spanned(spanned_spaces, ":", ")")
    assert not may_be_spanned(spanned_spaces, ")", ":")
    assert not may_be_spanned(spanned_spaces, "film", ")")


def test_a_token_made_by_an_exception_may_hide_what_stood_there():
    spanned_spaces = SpannedSpaces([(":", ")"), (")", ")")], [":)"])
    assert may_be_spanned(spanned_spaces, ":)", ")")


def test_kinds_met_later_are_in_the_table():
    spanned_spaces = SpannedSpaces([("a", "b"), ("c", "d")], [])
    assert may_be_spanned(spanned_spaces, "a", "b")
    assert may_be_spanned(spanned_spaces, "c", "d")
    assert not may_be_spanned(spanned_spaces, "a", "d")
    assert not may_be_spanned(spanned_spaces, "x", "y")
