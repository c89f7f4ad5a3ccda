"""The head of a YAML file: what is named there, and what Hydra cannot read."""

from __future__ import annotations

import pytest
import yaml

from sentexp.defaults_list import Entry, entries, package, problems


def defaults_of(text: str) -> yaml.Node | None:
    root = yaml.compose(text)
    return next((value for key, value in root.value if key.value == "defaults"), None) if root is not None else None


def found(text: str) -> list[tuple[int, str]]:
    return list(problems(text, defaults_of(text)))


@pytest.mark.parametrize(
    "entry",
    [
        "lstm", "_self_", "/model/lstm", "sub/lstm", "gru@other.key", "model: gru", "/model: gru", "model: null",
        "override /model: gru", "optional model: mine", "optional override /hydra/launcher: pool",
        "/model@_global_: gru", "model: ???", "model: [gru, lstm]", "model: []", "model: my own", "model: 20b",
        "model: ${data}_${hydra/launcher}",
    ],
)  # fmt: skip
def test_entries_that_hydra_can_read_are_left_to_it(entry: str) -> None:
    assert found(f"# @package _global_\ndefaults:\n  - {entry}\n") == []


@pytest.mark.parametrize(
    "entry",
    [
        "null", "1", "1e3", "true", "2026-01-01", "[gru]", "{}", "''", "'@x'", "gru@", "gru@a..b", "_self_@x", "???",
        "{model: gru, data: imdb}", "{1: gru}", "{null: gru}", "'@x': gru", "/: gru", "'': gru", "override: {}",
        "extra /model: gru", "override  /model: gru", "model@: gru", "model: 1", "model: {a: b}", "model: [1]",
        "model: [[gru]]", "model: ['???']", "model: _self_", "model: ''", "model: \"a\\nb\"", "model: ${", "a//b: gru",
        "../model/gru", "/..", "model: ../gru",
    ],
)  # fmt: skip
def test_any_other_entry_is_refused_with_its_line(entry: str) -> None:
    expected = "no entry of defaults; expected one such as `- lstm` or `- override /model: gru`"
    assert found(f"# @package _global_\ndefaults:\n  - lstm\n  - {entry}\n") == [(4, expected)]


@pytest.mark.parametrize("defaults", ["", "lstm", "{model: gru}", "3"])
def test_defaults_are_a_list(defaults: str) -> None:
    assert found(f"a: 1\ndefaults: {defaults}\n") == [(2, "defaults: no list; expected one such as `defaults: [lstm]`")]


def test_what_replaces_an_option_comes_last() -> None:
    text = "defaults:\n  - override /model: gru\n  - _self_\n  - override /data: imdb\n  - mine\n"
    assert found(text) == [(5, "behind an `override`; expected those at the end of defaults")]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("# @package", 1), ("# @package a b", 1), ("#\n# @package a b", None), ("\n# @package a b", 2), ("# @", 1),
        ("# @package\t_global_", 1), ("# @package a..b", 1), ("# @package [0]", 1), ("# @package ${x}", 1),
        ("# @package a.b", None), ("# @other x", None), ("# @other x\n# @package a:b", 2), ("# about\n# @x", None),
    ],
)  # fmt: skip
def test_a_head_that_hydra_cannot_read_is_refused_with_its_line(head: str, line: int | None) -> None:
    expected = "no name of a package; expected a line such as `# @package _global_`"
    assert found(f"{head}\nkey: 1\n") == ([(line, expected)] if line is not None else [])


def test_the_package_is_the_last_that_the_head_names() -> None:
    assert package("# @package a\n\n# @package b\n# @other c\nkey: 1\n") == "b"
    assert package("# a file\n# @package a\n") is None
    assert package("key: 1\n# @package a\n") is None


def test_each_entry_tells_which_file_it_means() -> None:
    text = "defaults:\n- gru\n- /data/imdb\n- /vocab/own\n- override /model@a.b: [x, y]\n- sub: z\n"
    named = list(entries(defaults_of(text)))
    assert named[0] == Entry("", "gru", 2)
    paths = [entry.path("model") for entry in named]
    assert paths == ["model/gru", "data/imdb", "vocab/own", "model/x", "model/y", "model/sub/z"]
