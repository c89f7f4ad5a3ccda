from __future__ import annotations

import numpy as np
import pytest

from sentexp.report.style import picture_text, shorten_middle, wilson


def test_wilson_gives_the_textbook_interval() -> None:
    low, high = wilson(np.array([8, 0, 5]), np.array([10, 10, 5]))
    assert low == pytest.approx([0.4902, 0, 0.5655], abs=1e-3)
    assert high == pytest.approx([0.9433, 0.2775, 1], abs=1e-3)


def test_what_is_too_long_loses_its_middle() -> None:
    assert shorten_middle("reviews_of_the_first.csv", 13) == "review…st.csv"
    assert shorten_middle("short", 13) == "short"


def test_a_users_text_is_one_short_line_in_which_nothing_is_a_formula() -> None:
    assert picture_text("two\n lines $x$") == r"two lines \$x\$"
    assert picture_text("x" * 30, longest=5) == "xxxx…"
