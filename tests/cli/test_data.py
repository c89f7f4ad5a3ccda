from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_the_demo_has_no_warning_even_with_strict(sentexp) -> None:
    program = sentexp("data", "data.size=2000", "--strict")
    output, errors = program.communicate(timeout=120)
    assert (program.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == "no warnings"


def test_warnings_are_named_with_their_keys_and_a_report_is_written(sentexp_here, tmp_path: Path) -> None:
    rows = [f"a film number {row % 90},{'pos' if row % 2 else 'neg'}" for row in range(200)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *rows]))
    for strict, status in ((["--strict"], 1), ([], 0)):
        folder = f"deep/report{status}"
        arguments = ["data", "data=files", "data.path=a.csv", "--output", folder, *strict]
        ended = sentexp_here(*arguments)
        assert (ended.status, ended.errors) == (status, "")
        assert "test reviews are also in train" in ended.output
        assert "data.drop_duplicates=true" in ended.output
        assert ended.output.splitlines()[-1] == f"report: {folder}/data.html"
        assert (tmp_path / folder / "data.html").is_file()
    assert sentexp_here(*arguments).output == ""  # a folder that holds files is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data=files"], ["data.path", "expected"]),
        (["data=files", "data.path=nowhere.csv"], ["nowhere.csv: no such file"]),
        (["data.siez=3"], ["data.siez=3: no such key; did you mean size?"]),
        (["--output", "a.txt"], ["--output a.txt: expected a folder"]),
        (["--output", "a.txt/b"], ["--output a.txt/b: expected a folder"]),
        (["--config-dir", "nowhere"], ["--config-dir nowhere: no such folder"]),
        (["--outptu", "b"], ["No such option", "sentexp data --help"]),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    sentexp_here, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "a.txt").touch()
    ended = sentexp_here("data", *arguments)
    assert (ended.status, ended.output, len(ended.errors.splitlines())) == (2, "", 1), ended.errors
    for word in words:
        assert word in ended.errors


def test_yaml_files_of_the_users_own_are_found(sentexp_here, tmp_path: Path) -> None:
    folder = tmp_path / "my own, files"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "small.yaml").write_text("defaults: [demo]\nsize: 1000\n")
    ended = sentexp_here("data", "data=small", "--config-dir", "my own, files")
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output.startswith("data: demo corpus, 1000 reviews")


def test_the_help_imports_nothing_heavy() -> None:
    script = "import sys; sys.argv = ['sentexp', 'data', '--help']; from sentexp.cli import main; main(); "
    script += "print({'torch', 'mlflow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert "sentexp data experiment=imdb" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
