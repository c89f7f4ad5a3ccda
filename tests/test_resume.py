from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp import checkpoint_files
from sentexp.config import compose, plain
from sentexp.errors import SentexpError
from sentexp.resume import key_of, recorded_overrides, resume_command, resumed, stopped

MACHINE = {"device": "cpu", "precision": "bf16", "processes": "2"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The output folder of a run that was stopped."""
    return written(tmp_path, ["model=gru", "seed=3"])


def written(folder: Path, overrides: list[str]) -> Path:
    facts: dict[str, Any] = {"config": values(*overrides), "overrides": overrides, "machine": MACHINE}
    facts |= {"text": {"vocabulary": "a"}, "versions": {"torch": "2.13.0"}}
    checkpoint_files.write(folder, 5, lambda path: path.write_text("state"), facts)
    return folder


def values(*overrides: str) -> dict[str, Any]:
    config = plain(compose(*overrides))
    del config["sweep"]
    return config


def test_the_configuration_is_that_of_the_run_with_what_is_added(folder: Path) -> None:
    config = compose(f"trainer.resume={folder}", "trainer.threads=2", "seed=4")
    assert (config.model.cell, config.trainer.threads, config.seed) == ("gru", 2, 4)
    assert config.composition is not None
    assert config.composition.overrides == ("model=gru", f"trainer.resume={folder}", "trainer.threads=2", "seed=4")


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.threads=2", "trainer.early_stopping=7", "trainer.checkpoint_minutes=1", "trainer.log_every=1"],
        ["tracking=none", "evaluation.baseline=false", "trainer.device=cpu", "trainer.processes=2"],
        ["trainer.epochs=9"],
    ],
)
def test_what_says_nothing_of_the_steps_to_come_may_change(overrides: list[str], folder: Path) -> None:
    before = stopped(folder, values("model=gru", "seed=3", *overrides))
    assert set(before.changed) >= {one.partition("=")[0] for one in overrides} - {"tracking"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["seed=4"], "seed: 3 then, 4 now"),
        (["model.hidden_size=64"], "model.hidden_size: 128 then, 64 now"),
        (["model=lstm"], "model.cell: gru then, lstm now"),
        (["trainer.batch_size=null"], "trainer.batch_size: 64 then, null now"),
        (["optimizer=sgd"], "optimizer._target_: torch.optim.Adam then, torch.optim.SGD now"),
    ],
)
def test_another_training_is_refused_with_the_difference(overrides: list[str], words: str, folder: Path) -> None:
    with pytest.raises(SentexpError, match="it would be another training") as caught:
        stopped(folder, values(*recorded_overrides([f"trainer.resume={folder}", *overrides])))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_more_epochs_are_refused_where_the_rates_depend_on_them(tmp_path: Path) -> None:
    folder = written(tmp_path, ["schedule=one_cycle"])
    with pytest.raises(SentexpError, match="with this schedule the rates depend on the number of epochs"):
        stopped(folder, values("schedule=one_cycle", "trainer.epochs=9"))
    folder = written(tmp_path / "warm", ["schedule.warmup=0.1"])
    with pytest.raises(SentexpError, match="the rates depend on the number of epochs"):
        stopped(folder, values("schedule.warmup=0.1", "trainer.epochs=9"))


def test_auto_stands_for_what_the_training_began_with(folder: Path) -> None:
    trainer = compose().trainer
    before = stopped(folder, values("model=gru", "seed=3"))
    assert {key: getattr(before.trainer(trainer), key) for key in MACHINE} == MACHINE
    for key, other in (("precision", "fp32"), ("processes", "1"), ("device", "cuda:0")):
        with pytest.raises(SentexpError, match=f"trainer.{key}={other}: this training began with {MACHINE[key]}"):
            before.trainer(dataclasses.replace(trainer, **{key: other}))


def test_other_reviews_are_refused_and_other_versions_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = stopped(folder, values("model=gru", "seed=3"))
    before.check({"vocabulary": "a"}, {"torch": "2.13.0"})
    assert caplog.text == ""
    before.check({"vocabulary": "a"}, {"torch": "2.14.0"})
    assert "resume: torch 2.13.0 then, 2.14.0 now; figures may differ in their last digits" in caplog.text
    with pytest.raises(SentexpError, match="the vocabulary is not the one that this training began with"):
        before.check({"vocabulary": "b"}, {})


def test_a_password_is_asked_for_again(tmp_path: Path) -> None:
    folder = written(tmp_path, ["seed=3"])
    facts = copy.deepcopy(checkpoint_files.newest(folder).facts)
    facts["overrides"] = ["tracking.uri=mysql://anna:***@db/runs"]
    checkpoint_files.write(folder, 6, lambda path: path.write_text("state"), facts)
    with pytest.raises(SentexpError, match=r"tracking\.uri: its password is not kept; expected it beside"):
        recorded_overrides([f"trainer.resume={folder}"])
    facts["overrides"] = ["tracking.uri='mysql://db/runs?password=***'"]
    checkpoint_files.write(folder, 7, lambda path: path.write_text("state"), facts)
    with pytest.raises(SentexpError, match=r"tracking\.uri: its password is not kept"):
        recorded_overrides([f"trainer.resume={folder}"])
    again = recorded_overrides([f"trainer.resume={folder}", "tracking.uri=mysql://anna:secret@db/runs"])
    assert again == [f"trainer.resume={folder}", "tracking.uri=mysql://anna:secret@db/runs"]


def test_what_the_run_itself_went_on_from_is_left_out(tmp_path: Path) -> None:
    facts = {"config": {}, "overrides": ["seed=3", "trainer.resume=elsewhere", "+trainer.trust=true"]}
    checkpoint_files.write(tmp_path, 5, lambda path: path.write_text("state"), facts)
    assert recorded_overrides([f"trainer.resume={tmp_path}"]) == ["seed=3", f"trainer.resume={tmp_path}"]


def test_without_it_the_overrides_are_as_they_were() -> None:
    assert recorded_overrides(["seed=1"]) == ["seed=1"]
    assert recorded_overrides(["trainer.resume=null"]) == ["trainer.resume=null"]
    with pytest.raises(SentexpError, match="nowhere: no such folder"):
        compose("trainer.resume=nowhere")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("a.b=1=2", "a.b"),
        ("+a=1", "a"),
        ("++a.b=1", "a.b"),
        ("~model", "model"),
        ("model@other=gru", "model"),
        ("a", "a"),
    ],
)
def test_the_key_of_an_override(override: str, key: str) -> None:
    assert key_of(override) == key


@given(path=st.text(st.characters(exclude_characters="\\\x00", codec="utf-8"), min_size=1))
def test_a_path_comes_back_as_it_was_quoted(path: str) -> None:
    from sentexp.cli.training import _quoted

    assert resumed([f"trainer.resume={_quoted(Path(path))}"]) == str(Path(path))


@pytest.mark.parametrize(
    "override",
    [
        "+evaluation.metrics.z=evil.f",
        "evaluation.metrics={z: evil.f}",
        "tokenizer.path=evil.f",
        "model._target_=evil.Model",
        "+hydra.callbacks.x._target_=evil.f",
        "hydra.output_subdir=../../escaped",
        "experiment=../../../proc/self/cwd/evil",
        "+data@hydra.callbacks.x=files",
        "--config-dir=evil",
    ],
)
def test_a_folder_from_elsewhere_names_no_code(override: str, tmp_path: Path) -> None:
    facts = {"config": {}, "overrides": ["seed=3", override]}
    checkpoint_files.write(tmp_path, 5, lambda path: path.write_text("state"), facts)
    with pytest.raises(SentexpError, match=r"code outside of sentexp, which would be run; expected trainer\.trust"):
        compose(f"trainer.resume={tmp_path}")
    trusted = [f"trainer.resume={tmp_path}", "trainer.trust=true"]
    assert recorded_overrides(trusted) == ["seed=3", override, *trusted]
    typed = [f"trainer.resume={tmp_path}", override]
    assert override in recorded_overrides(typed)
    command = resume_command(Path("out"), ["seed=3", override], None)
    assert command == "sentexp trainer.resume=out trainer.trust=true"


@pytest.mark.parametrize(
    "override",
    [
        "tracking.uri=http://far:5000", r"tracking.uri=http\://far:5000", "++tracking.uri='http://far:5000'",
        "tracking={uri: 'http://far:5000'}",
    ],
)  # fmt: skip
def test_a_server_that_a_folder_names_is_sent_no_password(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume = f"trainer.resume={written(tmp_path, ['seed=3', 'tracking.uri=sqlite:///x.db'])}"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "opensesame")
    assert recorded_overrides([resume]) == ["seed=3", "tracking.uri=sqlite:///x.db", resume]
    facts = {"config": {}, "overrides": ["seed=3", override]}
    checkpoint_files.write(tmp_path, 6, lambda path: path.write_text("state"), facts)
    line = (
        r"tracking\.uri=http://far:5000: would be sent your MLFLOW_TRACKING_TOKEN; expected tracking\.uri=\.\.\. beside"
    )
    with pytest.raises(SentexpError, match=rf"^trainer\.resume=.*: {line}"):
        compose(resume)
    assert override in recorded_overrides([resume, "trainer.trust=true"])
    assert override in recorded_overrides([resume, override])
    command = resume_command(Path("out"), ["seed=3", override], None)
    assert command == "sentexp trainer.resume=out tracking.uri=http://far:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://far:5000")
    assert override in recorded_overrides([resume])


def test_the_command_that_goes_on_is_short_where_nothing_is_of_the_users_own() -> None:
    assert resume_command(Path("an out"), ["seed=3"], None) == "sentexp 'trainer.resume=an out'"
    assert resume_command(Path("out"), [], "mine") == "sentexp --config-dir mine trainer.resume=out"
