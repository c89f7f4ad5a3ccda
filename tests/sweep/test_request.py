"""What a sweep refuses before its first job."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from sentexp.config import conf_dir, typed_section
from sentexp.errors import SentexpError
from sentexp.schema import SweepConfig
from sentexp.sweep.driver import _only_driver
from sentexp.sweep.plan import Plan
from sentexp.sweep.request import SweepRequest, check_folders, check_points, sweep_request


@pytest.mark.slow
def test_a_changed_sweep_is_refused_with_the_difference(app) -> None:
    app("x=1,2", "y=1")
    for arguments, words in {
        ("y=2",): "y: 1 -> 2",
        ("x=1,2,3",): "x: 1,2 -> 1,2,3",
        ("sweep.seeds=2",): "sweep.seeds: 1 -> 2",
        ("hydra.sweep.dir=elsewhere",): "hydra.sweep.dir=elsewhere",
    }.items():
        ended = app("sweep.resume=latest", *arguments)
        assert (ended.status, words in ended.refused) == (2, True), ended.refused
    assert app("sweep.resume=latest", "y=1", "x=1,2", "sweep.max_failures=3").status == 0
    config = app.folder / "conf" / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 0", "epochs: 1"))
    assert "epochs: 0 -> 1" in app("sweep.resume=latest").refused
    assert len(app.ran) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x=interval(0,1)"], "sweep.sampler=grid"),
        (["sweep.sampler=tpe"], "nothing to search"),
        (["x=1,2", "sweep.seeds=1,2"], "one value"),
        (["x=tag(small,choice(1,2))"], "x is no key of a group"),
        (["x=1,2", "z=3"], "z=3: no such key"),
        (["x=1", "sweep.resume=nowhere"], "sweep.resume=nowhere: no sweep"),
        (["x=1", "sweep.resume=latest"], "there is no sweep under"),
    ],
)
def test_mistakes_end_with_one_line_before_anything_is_left_behind(app, arguments: list[str], words: str) -> None:
    ended = app(*arguments)
    assert ended.status == 2
    assert len(ended.refused.splitlines()) == 1
    assert words in ended.refused
    assert not (app.folder / "multirun").exists()


def request_of(*arguments: str) -> SweepRequest:
    """Return what the command line asks for, checked as the driver checks it."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", list(arguments), RunMode.MULTIRUN)
        typed = [word for word in arguments if not word.startswith("hydra")]
        request = check_points(sweep_request(typed, config, loader), loader, config.hydra.sweeper.check)
        check_folders(request, loader)
        return request


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("sweep.metric=3", "sweep.metric=3: expected a text"),
        ("sweep.metric=null", "sweep.metric=null: expected a text"),
        ("sweep.metric=true", "sweep.metric=true: expected a text"),
        ("sweep.metric=${seed}", "sweep.metric=0: expected a text"),
        ("sweep.metric=''", "sweep.metric=: expected a text"),
        ("sweep.metric=[a,null]", "sweep.metric=['a', None]: expected a text"),
        ("sweep.metric=${nosuch}", "sweep.metric: Interpolation key 'nosuch' not found"),
        ("sweep.direction=null", "sweep.direction=null: expected a text"),
        ("sweep.space=null", "sweep.space=null: expected keys"),
        ("sweep.seeds=99999999999", "sweep.seeds=99999999999: expected a whole number from 1 to 10000"),
        ("sweep.storage=''", "sweep.storage=: expected a database URL"),
        ("sweep.trust=maybe", "sweep.trust=maybe: expected true or false"),
        ("hydra.sweep.dir=''", "hydra.sweep.dir=: the current folder; expected one of the sweep's own"),
        ("hydra.sweep.subdir=${nosuch}", "hydra.sweep.subdir=${nosuch}: Interpolation key 'nosuch' not found"),
        ("hydra.sweeper.check=3", "hydra.sweeper.check=3: no such function"),
        ("hydra.sweeper.check=no.such", "hydra.sweeper.check=no.such: no such function"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_line(argument: str, told: str) -> None:
    with pytest.raises(SentexpError) as error:
        request_of("seed=1,2", argument)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/x", "'a\0b'"])
def test_a_folder_that_cannot_be_made_is_refused_in_one_line(folder: str) -> None:
    with pytest.raises(SentexpError, match="no folder can be made there") as error, _only_driver(Path(folder)):
        pass
    assert "\n" not in str(error.value)


def test_a_storage_that_is_another_file_is_refused_untouched(app) -> None:
    notes = app.folder / "notes.txt"
    notes.write_text("mine")
    ended = app("x=interval(0,1)", "sweep.sampler=random", "sweep.storage=notes.txt", "sweep.study_name=s")
    assert ended.status == 2
    assert "is no journal of Optuna's" in ended.refused
    assert notes.read_text() == "mine"
    assert not list(app.folder.glob("notes.txt?*"))
    assert not (app.folder / "multirun").exists()


def checked(*arguments: str, **space: str) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = compose("config", return_hydra_config=True)
        plan = Plan.of(arguments, space, config, loader)
        settings: Any = typed_section(config.sweep, SweepConfig, "sweep.")
        manifest: Any = SimpleNamespace(hydra_arguments=[])
        request = SweepRequest(Path("x"), config, settings, plan, manifest, resumed=False)
        check_points(request, loader, "sentexp.config.check")


def test_a_wrong_value_of_a_marked_key_is_refused_before_the_first_job() -> None:
    checked("model=bag_of_words,lstm", "model.hidden_size=tag(lstm,choice(16,32))")
    with pytest.raises(SentexpError, match=r"^model\.hidden_size=-1: "):
        checked("model=bag_of_words,lstm", "model.hidden_size=tag(lstm,choice(16,-1))")
    with pytest.raises(SentexpError, match=r"^model\.pooling=last: "):  # which only one of its options has
        checked("model=bag_of_words,lstm", "model.pooling=tag(lstm,bag_of_words,choice(mean,last))")
    with pytest.raises(SentexpError, match=r": no such key with model=bag_of_words; .*=tag\(lstm,choice\(4,8\)\)'$"):
        checked("model=lstm,bag_of_words", "model.hidden_size=tag(lstm,bag_of_words,choice(4,8))")


def test_a_key_that_an_option_lacks_is_refused_with_the_mark_also_in_the_space() -> None:
    space = {"model": "choice(lstm,bag_of_words)", "model.hidden_size": "choice(16,32)"}
    mark = r"'model\.hidden_size=tag\(lstm,choice\(16,32\)\)'"
    with pytest.raises(SentexpError, match=rf"no such key with model=bag_of_words; to leave it out there: {mark}$"):
        checked(**space)
