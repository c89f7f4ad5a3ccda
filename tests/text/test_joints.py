from __future__ import annotations

from sentexp.text.joints import Joints


def is_joint(joints: Joints, left: str, right: str) -> bool:
    kinds = joints.left(left), joints.right(right)
    return joints.table()[kinds[0]][kinds[1]]


def test_neighbours_within_an_exception_are_a_joint():
    joints = Joints([(":", ")")], [":)"])
    assert is_joint(joints, ":", ")")
    assert not is_joint(joints, ")", ":")
    assert not is_joint(joints, "film", ")")


def test_a_word_made_by_an_exception_may_hide_what_stood_there():
    joints = Joints([(":", ")"), (")", ")")], [":)"])
    assert is_joint(joints, ":)", ")")


def test_kinds_met_later_are_in_the_table():
    joints = Joints([("a", "b"), ("c", "d")], [])
    assert is_joint(joints, "a", "b")
    assert is_joint(joints, "c", "d")
    assert not is_joint(joints, "a", "d")
    assert not is_joint(joints, "x", "y")
