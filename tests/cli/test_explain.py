from __future__ import annotations

from pathlib import Path

import pytest
from made_up_model import trained


@pytest.fixture
def model(tmp_path: Path) -> str:
    trained().save(tmp_path / "model")
    return "./model"


def test_each_text_has_its_answer_its_notes_and_a_table(sentexp, model, tmp_path: Path) -> None:
    program = sentexp("explain", model, "a good film", "xyzzy", "--output", "page.html")
    output, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")
    first, second = output.split("\n\n")
    assert [line.split("\t")[0] for line in first.splitlines()[1:]] == ["token", "a", "good", "film"]
    assert second.splitlines()[1] == "note: the model knows no word of it: each is <unk>"
    assert second.splitlines()[-1] == "page: page.html"
    assert "xyzzy" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["Missing argument 'TEXTS...'", "sentexp explain --help"]),
        (["good", "--label", "post"], ["label post: expected one of neg, pos; did you mean pos?"]),
        (["good", "--output", "nowhere/page.html"], ["--output nowhere/page.html: no such folder"]),
    ],
)
def test_a_mistake_is_one_line_and_status_2(sentexp_here, model, arguments: list[str], words: list[str]) -> None:
    ended = sentexp_here("explain", model, *arguments)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    for word in words:
        assert word in ended.errors
