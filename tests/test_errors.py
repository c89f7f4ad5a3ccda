from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.errors import LONGEST_REASON, SentexpError, did_you_mean, nearest_path, one_line


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


@given(st.text(min_size=1))
def test_our_own_exceptions_are_one_line_whatever_a_key_or_a_value_holds(value: str) -> None:
    assert len(str(SentexpError(f"key={value}: no such key")).splitlines()) == 1


@pytest.mark.parametrize("before", range(LONGEST_REASON - 30, LONGEST_REASON + 5))
def test_a_message_is_not_cut_within_a_password(before: int) -> None:
    assert "sec" not in one_line(OSError(f"{'x' * before} mysql://anna:secretsecret@db is down"))


def test_the_nearest_name_is_offered() -> None:
    assert did_you_mean("hiden_size", ["hidden_size", "dropout"]) == "; did you mean hidden_size?"
    assert did_you_mean("zzz", ["hidden_size"]) == ""


@pytest.mark.parametrize(
    ("given", "tail"),
    [
        ("plian.csv", "; did you mean plain.csv?"),
        ("./plian.csv", "; did you mean plain.csv?"),
        ("reviws/first.csv", "; did you mean reviews/first.csv?"),
        ("reviws/fisrt.csv", "; did you mean reviews?"),
        ("reviews/fisrt.csv", "; did you mean reviews/first.csv?"),
        ("plain.csv/first.csv", ""),
        ("elsewhere", ""),
        ("plain.csv", ""),
    ],
)
def test_a_path_that_leads_nowhere_has_the_nearest_one_named(
    given: str, tail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reviews").mkdir()
    for file in ("plain.csv", "reviews/first.csv"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    assert nearest_path(given) == tail
    absolute = nearest_path(str(tmp_path / given))
    assert absolute == tail.replace("mean ", f"mean {tmp_path}/")
