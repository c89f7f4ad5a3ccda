from __future__ import annotations

import io

from rich.console import Console

from sentexp.statistics import Interval
from sentexp.use.shown import ends, page_table, print_lines, print_table, signed, whole_page


def printed(write, width: int = 80) -> str:
    output = io.StringIO()
    write(Console(file=output, width=width))
    return output.getvalue()


def test_texts_are_printed_as_they_are_without_markup_and_control_characters() -> None:
    assert printed(lambda console: print_lines(console, "[bold]a[/] \x1b[31m\\", "b\nc")) == (
        "[bold]a[/]  [31m\\\nb c\n"
    )
    table = printed(lambda console: print_table(console, ["[red]", "n"], [["[x]\t", "1"]], ["n"]))
    assert "[red]" in table
    assert "[x]" in table


def test_a_table_is_never_wider_than_the_terminal() -> None:
    rows = [["a" * 200, "b " * 90, "1.0"]]
    lines = printed(lambda console: print_table(console, ["one", "two", "three"], rows, ["three"])).splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line[:30] for line in lines).count("a") > 20


def test_intervals_are_shown_with_their_ends_and_differences_with_signs() -> None:
    assert ends(Interval(0.5, 0.25, 0.75)) == "0.2500 to 0.7500"
    assert ends(Interval(0.5, float("nan"), float("nan"))) == ""
    assert signed(Interval(0.5, -0.25, 0.75)) == "+0.5000 (-0.2500 to +0.7500)"


def test_texts_cannot_put_anything_into_a_page() -> None:
    nasty = "<script>alert(1)</script> & co"
    page = whole_page(nasty, nasty, [page_table([nasty], [[nasty]])])
    assert nasty not in page
    whole = page.replace("<wbr>", "")  # where the name of a column may break
    assert whole.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; co") == 5  # title, heading, summary, head, cell
