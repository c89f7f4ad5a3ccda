"""The names that a notebook imports, and the examples in their docstrings."""

from __future__ import annotations

import doctest
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import sentexp
from sentexp.config import compose
from sentexp.runner import RunResult, build_model, prepare, run
from sentexp.use.explaining import explain
from sentexp.use.exporting import export
from sentexp.use.loaded import load

HEAVY = {"torch", "mlflow", "datasets", "spacy", "hydra", "omegaconf", "numpy", "pandas", "matplotlib", "optuna"}
SLOW = {"sentexp", "ensemble", "explain", "export", "fit", "load", "run"}


def printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True).stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert printed(f"import sys, sentexp; print({HEAVY} & set(sys.modules))") == "set()\n"


def test_listing_its_names_imports_nothing_heavy_either() -> None:
    program = f"import sys, sentexp; print(*dir(sentexp)); print({HEAVY} & set(sys.modules))"
    names, heavy = printed(program).splitlines()
    assert set(sentexp.__all__) <= set(names.split())
    assert heavy == "set()"


def test_the_names_are_those_of_the_modules() -> None:
    assert (sentexp.compose, sentexp.run, sentexp.prepare, sentexp.build_model) == (compose, run, prepare, build_model)
    assert sentexp.load is load
    assert sorted(sentexp.__all__) == list(sentexp.__all__)
    for name in sentexp.__all__:
        assert getattr(sentexp, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'sentexp' has no attribute 'nothing'"):
        sentexp.nothing  # noqa: B018
    assert not hasattr(sentexp, "RunResult")
    assert RunResult.__module__ == "sentexp.runner"


def test_help_reads_as_a_page_with_every_public_name() -> None:
    page = pydoc.plain(pydoc.render_doc(sentexp))
    assert "Compose, train and compare" in page
    for name in sentexp.__all__:
        assert f"\n    {name}(" in page or f"class {name}(" in page


def _examples() -> list[doctest.DocTest]:
    objects = {"sentexp": sentexp, "explain": explain, "export": export}
    objects |= {name: getattr(sentexp, name) for name in sentexp.__all__}
    parser = doctest.DocTestParser()
    found = [parser.get_doctest(thing.__doc__, {}, name, None, 0) for name, thing in objects.items()]
    return [examples for examples in found if examples.examples]


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(examples, id=examples.name, marks=[pytest.mark.slow] if examples.name in SLOW else [])
        for examples in _examples()
    ],
)
def test_the_examples_of_a_docstring_hold(
    examples: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENTEXP_CACHE_DIR", str(tmp_path / "cache"))
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples)
    assert result.failed == 0, capsys.readouterr().out
    assert result.attempted > 0


def test_every_function_has_an_example() -> None:
    assert {"sentexp", *sentexp.__all__} - {"Recipe"} <= {examples.name for examples in _examples()}
