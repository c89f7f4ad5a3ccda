"""The tutorial notebook: what is committed is whole, and all of it runs anew."""

from __future__ import annotations

import base64
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments" / "tutorial"
NOTEBOOK = FOLDER / "tutorial.ipynb"
LARGEST = 600_000
"""Bytes of the notebook with its pictures: everybody who clones the repository takes them along."""

BY_CHANCE = re.compile(r"[+-]?\d+\.\d+(e-?\d+)?")
"""Numbers with a fraction: losses, logits and accuracies, which differ between processors in their last digits."""


def committed() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: NotebookNode) -> str:
    """What the cell prints, without its pictures and without numbers that differ between processors."""
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return " ".join(BY_CHANCE.sub("#", "".join(shown)).split())  # the width of a table's columns follows its numbers


def pictures(cell: NotebookNode) -> list[bytes]:
    found = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [base64.b64decode(picture) for picture in found]


def commands() -> list[str]:
    texts = "\n".join(cell.source for cell in committed().cells if cell.cell_type == "markdown")
    return re.findall(r"^(sentexp .*?) *(?:#.*)?$", texts, re.MULTILINE)


def test_the_committed_notebook_was_run_from_top_to_bottom_without_an_error() -> None:
    notebook = committed()
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", output.evalue
            assert output.get("name") != "stderr", output.text


def test_it_says_nothing_of_the_machine_that_ran_it() -> None:
    notebook = committed()
    assert NOTEBOOK.stat().st_size < LARGEST
    assert not any(cell.metadata for cell in notebook.cells)  # editors and clients keep times there
    for cell in code_cells(notebook):
        assert not re.search(r"/(?:home|root|tmp|work|usr)\b|\b[A-Z]:\\", printed(cell))


def test_each_cell_stands_under_a_text_and_is_short() -> None:
    cells = committed().cells
    for before, cell in zip([None, *cells], cells, strict=False):
        if cell.cell_type == "code":
            assert before is not None
            assert before.cell_type == "markdown", cell.source
            assert len(cell.source.splitlines()) <= 30


def test_the_pages_point_to_each_other() -> None:
    assert "(experiments/tutorial/" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "[tutorial](tutorial/)" in (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    for page in (NOTEBOOK, FOLDER / "README.md"):
        links = re.findall(r"\]\((\.\.?/[^)#]*|[\w-]+\.\w+)\)", page.read_text(encoding="utf-8"))
        assert links
        for link in links:
            assert (FOLDER / link).exists(), link


@pytest.mark.slow
def test_all_cells_run_anew_show_the_same_and_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = committed()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert list(tmp_path.iterdir()) == []
    for anew, before in zip(code_cells(notebook), code_cells(committed()), strict=True):
        assert printed(anew) == printed(before), anew.source
        assert len(pictures(anew)) == len(pictures(before))


def test_it_ends_with_three_commands() -> None:
    assert len(commands()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_each_command_at_its_end_starts(command: str, tmp_path: Path) -> None:
    look = ["sweep.dry_run=true"] if " -m " in command else ["shapes=true", "data=demo", "data.size=200"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment |= {"SENTEXP_CACHE_DIR": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "sentexp", *shlex.split(command)[1:], *look],
        cwd=tmp_path, env=environment, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
