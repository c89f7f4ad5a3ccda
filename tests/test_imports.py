from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from sentexp.imports import allow_current_folder, import_object
from sentexp.schema import SweepConfig


def test_a_dotted_path_leads_to_a_function_or_into_a_class() -> None:
    assert import_object("math.sin") is math.sin
    assert import_object("sentexp.schema.SweepConfig.problems") is SweepConfig.problems


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("math.sinn", r"math has no sinn; did you mean sin\?"),
        ("sentexp.schema.SweepConfig.problem", r"sentexp\.schema\.SweepConfig has no problem; did you mean problems\?"),
        ("no_such_package.name", "No module named 'no_such_package'"),
        ("math", "'math' is no dotted path"),
        ("math.", "is no dotted path"),
        ("", "is no dotted path"),
        ("a b.c", "is no dotted path"),
    ],
)
def test_what_is_not_there_is_an_import_error_with_the_nearest_name(path: str, message: str) -> None:
    with pytest.raises(ImportError, match=message):
        import_object(path)


@pytest.mark.parametrize(
    ("code", "error"), [("import no_such_package", ModuleNotFoundError), ("1 / 0", ZeroDivisionError)]
)
def test_a_module_that_fails_raises_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type[Exception]
) -> None:
    name = f"failing_with_{error.__name__}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(error):
        import_object(f"{name}.function")


def test_modules_of_the_current_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_the_current_folder.py").write_text("def function(): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert import_object("module_of_the_current_folder.function").__name__ == "function"
    allow_current_folder()
    assert sys.path.count(str(tmp_path)) == 1
