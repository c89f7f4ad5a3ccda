from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_up_model import BAG_OF_WORDS, trained


@pytest.fixture
def model(tmp_path: Path) -> str:
    trained(BAG_OF_WORDS).save(tmp_path / "model")
    return "./model"


def test_the_greatest_difference_is_told(sentexp, model, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a good film\nbad\n")
    program = sentexp("export", model, "--to", "torch", "--output", "out", "--check", "texts.txt")
    output, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")
    assert re.fullmatch(r"out/model\.pt: greatest difference \d\.\de[+-]\d\d on 2 texts", output.splitlines()[0])
    assert (tmp_path / "out" / "example.py").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "out"], ["Missing option '--to'", "onnx"]),
        (["--to", "tflite", "--output", "out"], ["'tflite' is not one of 'onnx', 'torch'"]),
        (["--to", "torch"], ["Missing option '--output'"]),
        (["--to", "torch", "--output", "out", "--check", "nowhere.txt"], ["--check nowhere.txt", "No such file"]),
        (["--to", "torch", "--output", "out", "--check", "empty.txt"], ["empty.txt: empty; expected one text"]),
        (["--to", "torch", "--output", "out", "--check", "latin.txt"], ["latin.txt: byte 1 is not UTF-8"]),
    ],
)
def test_a_mistake_is_one_line_and_status_2(sentexp_here, model, tmp_path: Path, arguments: list[str], words) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"n\xe9e\n")
    ended = sentexp_here("export", model, *arguments)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    for word in words:
        assert word in ended.errors
    assert not (tmp_path / "out").exists()
