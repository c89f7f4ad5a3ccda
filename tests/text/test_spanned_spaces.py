from __future__ import annotations

from sentexp.text.spanned_spaces import SpannedSpaces


def is_joint(spanned_spaces: SpannedSpaces, left: str, right: str) -> bool:
    kinds = spanned_spaces.left(left), spanned_spaces.right(right)
    return spanned_spaces.table()[kinds[0]][kinds[1]]


def test_neighbours_within_an_exception_are_a_joint():
    spanned_spaces = SpannedSpaces([(":", ")")], [":)"])
    assert is_joint(spanned_spaces, ":", ")")
    assert not is_joint(spanned_spaces, ")", ":")
    assert not is_joint(spanned_spaces, "film", ")")


def test_a_word_made_by_an_exception_may_hide_what_stood_there():
    spanned_spaces = SpannedSpaces([(":", ")"), (")", ")")], [":)"])
    assert is_joint(spanned_spaces, ":)", ")")


def test_kinds_met_later_are_in_the_table():
    spanned_spaces = SpannedSpaces([("a", "b"), ("c", "d")], [])
    assert is_joint(spanned_spaces, "a", "b")
    assert is_joint(spanned_spaces, "c", "d")
    assert not is_joint(spanned_spaces, "a", "d")
    assert not is_joint(spanned_spaces, "x", "y")
