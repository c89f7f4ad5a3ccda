from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from sentexp.private_interfaces import parsed, return_value

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for room in ("sentexp", "hydra_plugins") for path in (ROOT / room).rglob("*.py"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


def private_uses(tree: ast.AST, own: set[str]) -> Iterator[str]:
    """Yield the private modules and names of other packages that a module uses; `own` are the project's own names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            paths = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and node.attr not in own and ast.unparse(node) != "os._exit":
            paths = [node.attr]
        else:
            continue
        yield from (path for path in paths if any(map(is_private, path.split("."))))


def own_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module defines, also as attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def test_private_interfaces_of_other_packages_are_used_in_one_file_only() -> None:
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    own = {name for tree in trees.values() for name in own_names(tree)}
    uses = {path: sorted(set(private_uses(tree, own))) for path, tree in trees.items()}
    assert {path: names for path, names in uses.items() if names} == {
        "sentexp/private_interfaces.py": [
            "_parse_overrides_and_create_caching_repo",
            "_return_value",
            "hydra._internal.config_loader_impl.ConfigLoaderImpl",
            "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
            "hydra._internal.utils.get_args_parser",
        ]
    }


@pytest.mark.parametrize(("status", "value"), [(JobStatus.COMPLETED, 3), (JobStatus.FAILED, ValueError("wrong"))])
def test_the_value_or_the_exception_of_a_job_is_returned_without_a_word(capsys, status, value) -> None:
    result = JobReturn(status=status)
    result.return_value = value
    assert return_value(result) is value
    assert capsys.readouterr() == ("", "")


def test_the_words_of_a_command_line_are_read_as_hydra_reads_them_or_refused_in_one_line(capsys) -> None:
    options = parsed(["-m", "--config-dir", "mine", "seed=1,2"])
    assert not isinstance(options, str)
    assert (options.multirun, options.config_dir, options.overrides) == (True, "mine", ["seed=1,2"])
    assert parsed(["--frobnicate"]) == "unrecognized arguments: --frobnicate"
    assert capsys.readouterr() == ("", "")
