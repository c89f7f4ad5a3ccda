"""The ladder on IMDB: its recipes are configurations that there are, and its report says what was recorded."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pandas
import pytest

import sentexp

FOLDER = Path(__file__).parents[2] / "experiments" / "imdb"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = importlib.util.spec_from_file_location("imdb_study", FOLDER / "study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["imdb_study"] = module  # where its dataclass looks for its annotations
    spec.loader.exec_module(module)
    return module


def test_each_recipe_is_a_configuration_and_starts_from_others(study: ModuleType) -> None:
    for name, recipe in study.RECIPES.items():
        assert set(recipe.starts) <= set(study.RECIPES) - {name}
        assert recipe.group in study.GROUPS
        assert recipe.overrides or len(recipe.starts) > 1
        if recipe.overrides:
            files = [f"data.path={FOLDER / 'results.csv'}"] if "data=files" in recipe.overrides else []
            sentexp.compose(*recipe.overrides, *files)


def test_the_committed_table_is_that_of_the_committed_results(study: ModuleType) -> None:
    table = pandas.read_csv(FOLDER / "results.csv")
    assert set(table["recipe"]) <= set(study.RECIPES)
    assert study.as_markdown(table) == (FOLDER / "results.md").read_text(encoding="utf-8")


def test_time_counts_what_was_stopped(study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 15.0, 100.0, 102.5])
    monkeypatch.setattr(study.time, "monotonic", lambda: next(now))
    with pytest.raises(KeyboardInterrupt), study.clock(tmp_path / "run" / "seconds.txt"):
        raise KeyboardInterrupt
    with study.clock(tmp_path / "run" / "seconds.txt"):
        pass
    assert float((tmp_path / "run" / "seconds.txt").read_text()) == 7.5
