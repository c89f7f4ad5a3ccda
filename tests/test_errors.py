from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.errors import LONGEST_REASON, SentexpError, did_you_mean, one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SentexpError("data.path=x: no such file"), "data.path=x: no such file"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError("first\n  second"), "ValueError: first second"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_any_exception_is_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line


@given(st.text())
def test_no_message_breaks_the_line_or_is_too_long(message: str) -> None:
    line = one_line(ValueError(message))
    assert len(line.splitlines()) == 1
    assert len(line) <= LONGEST_REASON + len("ValueError: ")


@pytest.mark.parametrize("before", range(LONGEST_REASON - 30, LONGEST_REASON + 5))
def test_a_message_is_not_cut_within_a_password(before: int) -> None:
    assert "sec" not in one_line(OSError(f"{'x' * before} mysql://anna:secretsecret@db is down"))


def test_the_nearest_name_is_offered() -> None:
    assert did_you_mean("hiden_size", ["hidden_size", "dropout"]) == "; did you mean hidden_size?"
    assert did_you_mean("zzz", ["hidden_size"]) == ""
