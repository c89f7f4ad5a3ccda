from __future__ import annotations

import io

import pytest
from made_up_model import trained
from rich.console import Console

from sentexp.use.explaining import explain
from sentexp.use.explanation import heading, strength, visible
from sentexp.use.explanation_text import coloured, table_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("good", "good"),
        ("\x1b[31m\n", "\\x1b[31m\\n"),
        ("\u202eevil", "\\u202eevil"),
        ("\U0001f468\u200d\U0001f469 é", "\U0001f468\u200d\U0001f469 é"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_print_is_an_escape_and_an_emoji_stays_whole(text, shown) -> None:
    assert visible(text) == shown


def test_the_table_has_a_line_per_token_with_tabs_between() -> None:
    explanation = explain(trained(), "a\x1bgood xyzzy")
    head, *lines = [line.split("\t") for line in table_lines(explanation)]
    assert head == ["token", "contribution", "without", "probability", "read as"]
    assert [line[0] for line in lines] == ["a", "\\x1b", "good", "xyzzy"]
    assert [line[4] for line in lines] == ["a", "<unk>", "good", "<unk>"]
    assert [float(line[1]) for line in lines] == pytest.approx(
        [token.contribution for token in explanation.tokens], abs=1e-4
    )
    assert heading(explanation).startswith(f"{explanation.predicted} 0.")


@pytest.mark.parametrize(
    ("system", "shades", "code"), [("truecolor", True, "48;2;"), ("standard", False, "\x1b[1;34m")]
)
def test_tokens_are_coloured_by_their_share_of_the_greatest_contribution(system, shades, code) -> None:
    explanation = explain(trained(), "a good film [red]not bad")
    assert max(abs(strength(token, explanation)) for token in explanation.tokens) == 1
    output = io.StringIO()
    Console(file=output, force_terminal=True, color_system=system, width=80).print(coloured(explanation, shades=shades))
    assert code in output.getvalue()
    plain = coloured(explanation, shades=shades).plain
    assert plain.startswith("a good film [ red ] not bad\n")
    assert "probability of pos after each token" in plain
    assert "underlined is what it does not know" in plain


def test_a_long_text_has_a_curve_that_fits_a_line() -> None:
    curve = coloured(explain(trained(), "good film " * 80), shades=True).plain.splitlines()[1]
    assert 40 <= len(curve.split("  ")[0]) <= 60
