from __future__ import annotations

from sentexp.report.style import picture_text, shorten_middle


def test_what_is_too_long_loses_its_middle() -> None:
    assert shorten_middle("reviews_of_the_first.csv", 13) == "review…st.csv"
    assert shorten_middle("short", 13) == "short"


def test_a_users_text_is_one_short_line_in_which_nothing_is_a_formula() -> None:
    assert picture_text("two\n lines $x$") == r"two lines \$x\$"
    assert picture_text("x" * 30, longest=5) == "xxxx…"
