from __future__ import annotations

from pathlib import Path

import pytest

from sentexp.config import compose, plain
from sentexp.errors import SentexpError
from sentexp.schema import DemoConfig, FilesConfig, HubConfig
from sentexp.use.recorded_config import composed_over, is_of_judging


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\ngood,1\n")
    return path


def recorded(*overrides: str) -> dict[str, object]:
    return plain(compose("trainer.device=cpu", "evaluation.positive=negative", *overrides))


def test_without_overrides_the_data_are_the_runs_own(reviews: Path) -> None:
    run = recorded("data=files", f"data.path={reviews}", "data.limit=7", "data.label_map={1: neg, 2: null, a: pos}")
    config = composed_over(run)
    assert plain(config.data) == run["data"]
    assert (config.trainer.device, config.evaluation.positive) == ("cpu", "negative")


def test_a_single_key_changes_the_runs_own_data_and_another_option_replaces_them(reviews: Path) -> None:
    run = recorded("data.size=60", "data.limit=7", "data.seed=5")
    changed = composed_over(run, ["data.limit=9", "trainer.precision=fp32"])
    assert (changed.data.limit, changed.data.seed, changed.trainer.precision) == (9, 5, "fp32")
    other = composed_over(run, ["data=files", f"data.path={reviews}"])
    assert isinstance(other.data, FilesConfig)
    assert (other.data.limit, other.data.seed) == (None, 0)


def test_a_path_with_any_characters_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a: 'b', [c] #1 é.csv"
    path.write_text("text,label\n")
    run = recorded("data=files", f"data.train={tmp_path}")
    run["data"] = {**run["data"], "path": str(path), "train": None}  # type: ignore[dict-item]
    assert composed_over(run).data.path == str(path)


@pytest.mark.parametrize("option", [DemoConfig, HubConfig, FilesConfig])
def test_a_run_of_an_older_version_has_the_default_of_a_key_that_it_lacks(option: type, reviews: Path) -> None:
    run = recorded("data=files", f"data.path={reviews}")
    run["data"] = {"_target_": option._target_, **({} if option is DemoConfig else {"path": str(reviews)})}  # type: ignore[attr-defined]
    config = composed_over(run)
    assert (type(config.data), config.data.valid_fraction) == (option, 0.1)


@pytest.mark.parametrize(
    "override", ["model.hidden_size=3", "trainer.epochs=1", "experiment=imdb", "~data", "dta=files"]
)
def test_keys_that_would_change_the_model_are_refused(override: str) -> None:
    with pytest.raises(SentexpError, match=r"the model stays as it was trained; expected keys of data") as refused:
        composed_over(recorded(), [override])
    assert str(refused.value).startswith(f"{override}: ")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data=fils"], "data=fils: not one of demo, files, hub, imdb, imdb_unlabelled; did you mean files?"),
        (["data=files", "data.path=nowhere.csv"], "data.path=nowhere.csv: no such file or folder"),
        (["data.sise=3"], "data.sise=3: no such key; did you mean size?"),
        (["data.size=3"], "data.size=3: expected a whole number from 20"),
    ],
)
def test_a_mistake_in_the_data_is_the_line_that_training_says(overrides: list[str], words: str) -> None:
    with pytest.raises(SentexpError) as refused:
        composed_over(recorded(), overrides)
    assert str(refused.value).startswith(words)
    assert "/tmp" not in str(refused.value)


def test_own_data_that_are_gone_are_told_with_the_way_out(reviews: Path) -> None:
    run = recorded("data=files", f"data.path={reviews}")
    reviews.unlink()
    with pytest.raises(
        SentexpError, match=r"reviews\.csv: no such file .*the run's own data; data=\.\.\. names others"
    ):
        composed_over(run)


def test_a_run_without_data_needs_some() -> None:
    with pytest.raises(SentexpError, match=r"^data: the run has recorded none; expected data=\.\.\."):
        composed_over({"model": {}})
    assert composed_over({"model": {}}, ["data=demo"]).data == compose().data


def test_a_source_of_the_users_own_is_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("defaults: [demo]\nsize: 30\n")
    assert composed_over(recorded(), ["data=mine"], tmp_path).data.size == 30
    own = recorded()
    own["data"] = {"_target_": "builtins.dict", "name": "x"}
    assert isinstance(composed_over(own, trust=True).data, dict)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"_target_": "shutil.copy", "src": "a", "dst": "RAN"}},
        {"evaluation": {"metrics": {"x": "this.s"}}},
        {"trainer": {"device": {"_target_": "os.abort"}}},
    ],
)
def test_what_a_folder_from_elsewhere_names_is_not_run(changes) -> None:
    with pytest.raises(SentexpError, match="code outside of sentexp"):
        composed_over({**recorded(), **changes})
    if "data" in changes:
        assert composed_over({**recorded(), **changes}, ["data=demo"]).data == compose().data


@pytest.mark.parametrize("target", ["sentexp.data.demo.load", "builtins.dict"])
def test_a_list_of_defaults_that_a_folder_from_elsewhere_brings_chooses_no_files(target: str, tmp_path: Path) -> None:
    (tmp_path / "pay.yaml").write_text("# @package data\n_target_: shutil.copy\n")
    own = recorded()
    up = "../" * 40 + str(tmp_path / "pay").lstrip("/")
    own["data"] = {**own["data"], "_target_": target, "defaults": ["demo", "_self_", up]}  # type: ignore[dict-item]
    config = composed_over(own, trust=target == "builtins.dict")
    assert plain(config.data)["_target_"] == target


def test_code_that_comes_in_by_the_composition_itself_is_not_run(monkeypatch) -> None:
    monkeypatch.setattr("sentexp.use.recorded_config._data", lambda _: {"_target_": "shutil.copy"})
    with pytest.raises(SentexpError, match=r"^data\._target_=shutil\.copy: code outside of sentexp"):
        composed_over(recorded())


@pytest.mark.parametrize(
    "override", ["+evaluation.metrics.mcc=builtins.max", "+evaluation.metrics={mcc: builtins.max}"]
)
def test_code_that_the_command_line_names_needs_no_trust(override: str) -> None:
    assert composed_over(recorded(), [override]).evaluation.metrics == {"mcc": "builtins.max"}


@pytest.mark.parametrize("data", [{"x": 1}, {}, {"_target_": 3}, {"_target_": "name"}])
def test_recorded_data_of_no_known_option_are_one_line(data: dict[str, object]) -> None:
    for trust in (True, False):
        with pytest.raises(SentexpError) as refused:
            composed_over({**recorded(), "data": data}, trust=trust)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "is_one"),
    [("data=files", True), ("data.limit=3", True), ("+evaluation.metrics.mcc=a.b", True), ("trainer.device=cpu", True),
     ("model=gru", False), ("database=1", False), ("latest", False), ("data", False)],
)  # fmt: skip
def test_words_that_say_by_what_a_model_is_judged(word: str, is_one: bool) -> None:
    assert is_of_judging(word) is is_one
