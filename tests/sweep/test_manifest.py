"""sweep.yaml, and what may change when a sweep is resumed."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from sentexp.errors import SentexpError
from sentexp.sweep.manifest import Manifest, differences, find, merged, merged_hydra
from sentexp.tracking.interface import Location

ONE = Manifest(
    id="x", name="a/b", arguments=["a=1,2"], hydra_arguments=[], cwd="/", config={"a": None}, choices={"model": "lstm"},
    launcher="basic", metrics=["loss"], directions=["minimize"], swept=["a"], seeds=1, storage=None, study="a/b",
)  # fmt: skip


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    ONE.write(tmp_path / "new")
    assert Manifest.read(tmp_path / "new") == ONE
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sweep.yaml"]
    assert ONE.storage_of(tmp_path) == str(tmp_path / "study.journal")


def test_it_tells_where_the_sweep_is_recorded_and_one_of_an_earlier_version_is_read_without(tmp_path: Path) -> None:
    place = Location("sqlite:////a.db", "tests", "7", "a run", "abc", "mlflow ui", "http://127.0.0.1:5000/#/a")
    told = ONE.with_parent(place)
    assert (told.parent_run_id, told.page, told.ui_command) == ("abc", place.page, "mlflow ui")
    earlier = {name: value for name, value in asdict(told).items() if name not in ("page", "ui_command")}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(earlier))
    assert Manifest.read(tmp_path) == replace(told, page=None, ui_command=None)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"id: 3", b"{", b"id: \xff", b"id: 2023-99-99", b"[" * 3000, b"{[a]: 1}", b"a: &a [*a]"],
    ids=lambda content: str(content)[:20],
)
def test_a_folder_without_one_is_no_sweep(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "sweep.yaml").write_bytes(content)
    with pytest.raises(SentexpError, match="no sweep"):
        Manifest.read(tmp_path)


def test_latest_is_the_newest(tmp_path: Path) -> None:
    for name in ("2020/b", "2021/a"):
        ONE.write(tmp_path / name)
    assert find("latest", tmp_path) == tmp_path / "2021" / "a"
    assert find(str(tmp_path / "2020" / "b"), tmp_path) == tmp_path / "2020" / "b"


@pytest.mark.parametrize("given", ["latest", "nowhere"])
@pytest.mark.parametrize("key", ["", "sweep.resume="])
def test_what_names_no_sweep_is_shown_as_it_was_given(tmp_path: Path, given: str, key: str) -> None:
    with pytest.raises(SentexpError, match=rf"^{key}{given}: .*no sweep.*; expected a folder that holds sweep.yaml"):
        find(given, tmp_path, key)


def test_given_arguments_take_the_place_of_recorded_ones() -> None:
    assert merged(["a=1", "b=2"], ["sweep.resume=x", "a=1"]) == ["a=1", "b=2"]
    assert merged(["a=1", "b=2"], ["a=3", "c=4"]) == ["b=2", "a=3", "c=4"]


def test_of_hydras_keys_the_launcher_alone_may_change() -> None:
    recorded = ["hydra/launcher=ray", "hydra.launcher.x=1", "hydra.job.name=y"]
    assert merged_hydra(recorded, ["hydra.mode=MULTIRUN"]) == recorded
    assert merged_hydra(recorded, ["hydra/launcher=basic"]) == ["hydra.job.name=y", "hydra/launcher=basic"]
    assert merged_hydra(recorded, ["hydra.launcher.x=2"])[-1] == "hydra.launcher.x=2"
    with pytest.raises(SentexpError, match=r"hydra\.job\.name=z"):
        merged_hydra(recorded, ["hydra.job.name=z"])


def test_differences_name_key_then_and_now() -> None:
    then = {"a": {"b": 1, "c": True}, "sweep": {"n_trials": 3, "sampler": "tpe"}}
    now = {"a": {"b": 2, "d": None}, "sweep": {"n_trials": 4, "sampler": "tpe"}}
    assert differences(then, now) == ["a.b: 1 -> 2", "a.c: true -> (none)"]


def test_a_key_of_a_later_version_is_no_difference_while_nobody_sets_it() -> None:
    then, now = {"trainer": {"epochs": 3}}, {"trainer": {"epochs": 3, "sampling": "uniform"}}
    assert differences(then, now, ["trainer.epochs=3"]) == []
    assert differences(then, now, ["trainer.sampling=uniform"]) == ["trainer.sampling: (none) -> uniform"]
    assert differences({"a": 1}, {"a": 1, "evaluation": {"metrics": {}}}) == []
    changed = ["evaluation.metrics.mcc: (none) -> my.mcc"]
    assert differences({"a": 1}, {"a": 1, "evaluation": {"metrics": {"mcc": "my.mcc"}}}) == changed


def test_what_no_result_depends_on_may_change() -> None:
    then = {"cache_dir": "a", "sweep": {"n_trials": 3, "resume": None, "seeds": 1}}
    now = {"cache_dir": "b", "sweep": {"n_trials": 5, "resume": "latest", "seeds": 2}}
    assert differences(then, now) == ["sweep.seeds: 1 -> 2"]
