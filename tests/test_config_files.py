"""What is said of mistakes in YAML files of the user's own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sentexp.config import compose, conf_dir
from sentexp.config_files import keeping_references, literal_yaml, options_with, own_folders
from sentexp.errors import SentexpError


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a file into the user's folder and composes with the override that chooses it."""
    monkeypatch.chdir(tmp_path)

    def composed(file: str, content: str | bytes, *overrides: str):
        path = tmp_path / "mine" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        chosen = f"{'/'.join(Path(file).parent.parts)}={path.stem}"
        return compose(f"hydra.searchpath=[file://{tmp_path / 'mine'}]", chosen, *overrides)

    return composed


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "model/a.yaml",
            "_target_: m.A\nsizes: [3\nhidden: 4\n",
            r"mine/model/a\.yaml, line 3: .*\(begun in line 2\).*",
        ),
        ("model/a.yaml", "_target_: m.A\n\thidden: 3\n", r"mine/model/a\.yaml, line 2: a tab; expected spaces .*"),
        ("model/a.yaml", "_target_: m.A\nb: 1\nb: 2\n", r"mine/model/a\.yaml, line 3: duplicate key b; .*"),
        ("model/a.yaml", b"_target_: m.A\nname: \xff\n", r"mine/model/a\.yaml, line 2: not UTF-8; .*"),
        ("model/a.yaml", "only words\n", r"mine/model/a\.yaml, line 1: no keys; expected lines such as `key: value`"),
        ("model/a.yaml", "", r"mine/model/a\.yaml: says nowhere what it makes; expected `defaults: \[lstm\]` .*"),
        ("model/a.yaml", "hidden_size: 3\n", r"mine/model/a\.yaml: says nowhere .* `defaults: \[lstm\]` .*_target_.*"),
        ("optimizer/a.yaml", "momentum: 0.9\n", r"mine/optimizer/a\.yaml: says nowhere .* `defaults: \[rmsprop\]` .*"),
        ("model/a.yaml", "model:\n  _target_: m.A\n", r"mine/model/a\.yaml, line 1: .* without `model:` above them"),
        (
            "trainer/a.yaml",
            "epochs: 3\n",
            r"mine/trainer/a\.yaml: sets no .*; expected `defaults: \[default\]` above .*",
        ),
        (
            "model/a.yaml",
            "defaults: [lsmt]\n",
            r"model=lsmt: not one of .*; did you mean lstm\? \(in the defaults of .*",
        ),
        (
            "model/a.yaml",
            "defaults: [lstm]\nhiden_size: 3\n",
            r"model\.hiden_size=3: .* \(in mine/model/a\.yaml, line 2\)",
        ),
        ("model/a.yaml", "_target_: no.A\n", r"model\._target_=no\.A: cannot be imported .* \(in .*a\.yaml, line 1\)"),
        (
            "experiment/a.yaml",
            "model:\n  hidden_size: 3\n",
            r"mine/experiment/a\.yaml, line 1: .*`# @package _global_`.*",
        ),
        (
            "experiment/a.yaml",
            "# my preset\n# @package _global_\ndefaults:\n  - override /model: gru\n",
            r"mine/experiment/a\.yaml, line 1: .*`# @package _global_` above all.*",
        ),
        (
            "experiment/a.yaml",
            "# @package _global_\ndefaults:\n  - model: gru\n",
            r"mine/experiment/a\.yaml, line 3: `- model: gru` .* expected `- override /model: gru`",
        ),
        (
            "experiment/a.yaml",
            "# @package _global_\ntrainer:\n  epochs: none\n",
            r"trainer\.epochs=none: .* \(in mine/experiment/a\.yaml, line 3\)",
        ),
        ("model/a.yaml", "# @package a b\ndefaults: [lstm]\n", r"mine/model/a\.yaml, line 1: no name of a package; .*"),
        ("model/a.yaml", "# @package\n\0", r"mine/model/a\.yaml, line 1: no name of a package; .*"),
        ("model/a.yaml", "defaults: lstm\n", r"mine/model/a\.yaml, line 1: defaults: no list; .*"),
        ("model/a.yaml", "defaults:\n  - lstm\n  - 3\n", r"mine/model/a\.yaml, line 3: no entry of defaults; .*"),
        ("model/a.yaml", "defaults: [/model: [a, lstm]]\n", r"mine/model/a\.yaml: defaults that lead back to .*"),
        (
            "experiment/a.yaml",
            "# @package _global_\ndefaults: [a]\n",
            r"mine/experiment/a\.yaml: defaults that lead back to where they stand; expected other options",
        ),
    ],
)
def test_a_mistake_in_a_file_is_one_line_with_file_line_and_remedy(mine, file: str, content, message: str) -> None:
    with pytest.raises(SentexpError, match=f"^{message}$"):
        mine(file, content)


def test_a_file_that_another_one_builds_on_is_checked_as_well(mine) -> None:
    with pytest.raises(SentexpError, match=r"^mine/model/a\.yaml: says nowhere"):
        mine("model/a.yaml", "hidden_size: 3\n")
    with pytest.raises(SentexpError, match=r"^mine/model/a\.yaml: says nowhere"):
        mine("experiment/b.yaml", "# @package _global_\ndefaults:\n  - override /model: a\n")
    for entry in ("- /model/a", "- /model: [gru, a]"):
        with pytest.raises(SentexpError, match=r"^mine/model/a\.yaml: says nowhere"):
            mine("model/sub/b.yaml", f"# @package model\ndefaults:\n  {entry}\n")


def test_what_the_command_line_sets_is_not_blamed_on_a_file(mine) -> None:
    with pytest.raises(SentexpError, match=r"from 1$"):
        mine("model/a.yaml", "defaults: [lstm]\nhidden_size: 3\n", "model.hidden_size=0")


def test_good_files_compose(mine) -> None:
    assert mine("model/a.yaml", "defaults: [lstm]\nhidden_size: 3\n").model.hidden_size == 3
    assert mine("trainer/a.yaml", "defaults: [default]\nepochs: 3\n").trainer.epochs == 3
    preset = "# @package _global_\ndefaults:\n  - override /model: gru\ntrainer:\n  epochs: 2\n"
    for above in ("", "\n", "# @other x\n"):
        assert mine("experiment/a.yaml", above + preset).trainer.epochs == 2
    assert mine("optimizer/a.yaml", "_target_: torch.optim.NAdam\nlr: 0.1\n").optimizer["lr"] == 0.1


def test_a_file_with_a_built_in_name_is_warned_about_by_both_names(mine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        mine("model/lstm.yaml", "defaults: [gru]\n")
    (line,) = caplog.messages
    built_in = conf_dir() / "model" / "lstm.yaml"
    assert line == f"mine/model/lstm.yaml: not read, since {built_in} has the same name; expected another name"


def test_a_copy_of_a_built_in_file_is_not_worth_a_word(mine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        mine("model/lstm.yaml", (conf_dir() / "model" / "lstm.yaml").read_bytes())
    assert caplog.messages == []


@pytest.mark.parametrize(
    "arguments", [["--config-dir", "{}"], ["--config-dir={}"], ["-cd", "{}"], ["hydra.searchpath=[pkg://a,file://{}]"]]
)
def test_the_users_folders_are_found_among_the_arguments(arguments: list[str], tmp_path: Path) -> None:
    assert own_folders([argument.format(tmp_path) for argument in arguments]) == [tmp_path]


def test_the_options_that_have_a_key_are_known_with_what_they_build_on(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name, content in {
        "a": "defaults: [b]\n",
        "b": "defaults: [a, gru, _self_]\nwidth: 3\n",
        "c": "_target_: x\n",
    }.items():
        (tmp_path / "model" / f"{name}.yaml").write_text(content)
    assert options_with("model.width", [tmp_path]) == ["a", "b"]
    assert options_with("model.cell", [tmp_path]) == ["a", "b", "gru", "lstm"]
    assert options_with("optimizer.momentum", []) == ["rmsprop", "sgd"]
    assert options_with("model.defaults", [tmp_path]) == options_with("seed", []) == options_with("a.b", []) == []


def test_references_to_the_environment_stay_where_they_are_asked_for() -> None:
    raw = {"a": "${oc.env:TOKEN}", "b": {"c": ["${oc.env:PLACE,x}/y", "${a}"]}, "d": "${b}"}
    resolved = {"a": "1", "b": {"c": ["x/y", "1"]}, "d": {"c": ["x/y", "1"]}}
    kept = {"a": "${oc.env:TOKEN}", "b": {"c": ["${oc.env:PLACE,x}/y", "1"]}, "d": resolved["d"]}
    assert keeping_references(resolved, raw) == kept
    assert keeping_references(resolved, raw, "TOKEN") == {**resolved, "a": "${oc.env:TOKEN}"}
    assert literal_yaml(keeping_references({"a": "1", "b": "${x}"}, {"a": "${oc.env:A}", "b": "${x}"})) == (
        "a: ${oc.env:A}\nb: \\${x}\n"
    )


def test_a_name_that_is_too_long_for_a_file_is_refused_as_any_other(mine) -> None:
    with pytest.raises(SentexpError, match=r"^model=x+: not one of "):
        mine("model/a.yaml", "defaults: [lstm]\n", f"model={'x' * 300}")
    with pytest.raises(SentexpError, match=r"^model=x+: not one of .* \(in the defaults of model/a\.yaml\)$"):
        mine("model/a.yaml", f"defaults: [{'x' * 300}]\n")
