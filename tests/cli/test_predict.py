from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from made_up_model import trained


@pytest.fixture
def model(tmp_path: Path) -> str:
    trained().save(tmp_path / "model")
    return "./model"


def test_texts_are_labelled_and_those_without_a_known_word_are_named(sentexp, model) -> None:
    program = sentexp("predict", model, "a good film", "xyzzy\tplugh")
    output, errors = program.communicate(timeout=60)
    expected = trained().predict(["a good film", "xyzzy\tplugh"])
    lines = [line.split("\t") for line in output.splitlines()]
    assert [line[0] for line in lines] == [trained().labels[row] for row in expected.argmax(1).tolist()]
    assert [float(line[1]) for line in lines] == pytest.approx(expected.max(1).values.tolist(), abs=1e-4)
    assert [line[2] for line in lines] == ["a good film", "xyzzy plugh"]
    assert errors == "sentexp: text 2: the model knows no word of it\n"
    assert program.returncode == 0


def test_lines_on_standard_input_are_answered_as_they_come(sentexp, model, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "sentexp", "predict", model, "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=pipe, stdout=pipe) as program:
        assert program.stdin
        assert program.stdout
        for text in ("a good film", "bad"):
            program.stdin.write(f"{text}\n".encode())
            program.stdin.flush()
            answer = json.loads(program.stdout.readline())
            assert answer["text"] == text
            assert sum(answer["probabilities"].values()) == pytest.approx(1)
        program.stdin.write(b"no end of line")
        rest, _ = program.communicate(timeout=60)
        assert json.loads(rest)["text"] == "no end of line"


def test_a_file_is_labelled_and_bad_rows_are_named_with_status_1(sentexp, model, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,stars\na good film,5\ntoo,many,fields\nbad,1\n")
    program = sentexp("predict", model, "--input", "a.csv", "--text-column", "review", "--output", "b.jsonl")
    output, errors = program.communicate(timeout=60)
    assert errors.startswith("sentexp: a.csv:3: 3 fields where the header has 2")
    assert output == "b.jsonl: 2 rows\n"
    assert program.returncode == 1
    assert pd.read_json(tmp_path / "b.jsonl", lines=True)["stars"].tolist() == [5, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict"], ["Missing argument 'RUN'", "sentexp predict --help"]),
        (["predict", "latest", "good"], ["there are no runs"]),
        (["predict", "./model", "--input", "a.csv"], ["expected with --output FILE"]),
        (["predict", "./model", "--input", "nowhere.csv", "--output", "b.csv"], ["nowhere.csv: no such file"]),
        (["predict", "./model", "--nput", "a.csv"], ["No such option", "--input"]),
        (["predict", "./model/labels.txt", "good"], ["no trained model"]),
    ],
)
def test_a_mistake_is_one_line_and_status_2(sentexp_here, model, arguments: list[str], words: list[str]) -> None:
    ended = sentexp_here(*arguments)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    for word in words:
        assert word in ended.errors


@pytest.mark.parametrize("arguments", [["predict", "--help"], ["help", "predict"]])
def test_the_help_shows_examples_and_imports_nothing_heavy(sentexp, arguments: list[str]) -> None:
    program = sentexp(*arguments)
    output, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert 'sentexp predict latest "not bad at all"' in output
    script = "import sys; sys.argv = ['sentexp', 'predict', '--help']; from sentexp.cli import main; main(); "
    script += "print({'torch', 'mlflow', 'numpy'} & set(sys.modules))"
    checked = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert checked.stdout.splitlines()[-1] == "set()"


def test_an_interrupt_leaves_no_half_written_file(sentexp, model, tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("w") as file:
        file.writelines("a good film that is not bad\n" for _ in range(400_000))
    program = sentexp("predict", model, "--input", "a.txt", "--output", "b.csv")
    deadline = time.monotonic() + 60
    while not any(file.stat().st_size for file in tmp_path.glob(".*unfinished*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    program.send_signal(2)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (130, "sentexp: interrupted\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "model"]
