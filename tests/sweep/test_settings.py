"""What the section `sweep` accepts, and what it refuses with which words."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir

from sentexp.config import conf_dir
from sentexp.errors import SentexpError
from sentexp.sweep.settings import Settings


def settings(*overrides: str) -> Settings:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return Settings.of(compose("config", overrides=list(overrides)).sweep)


def test_one_metric_or_several() -> None:
    assert settings().metrics == ("best/valid_accuracy",)
    several = settings("sweep.metric=[test/loss,test/f1]", "sweep.direction=[minimize,maximize]")
    assert several.metrics == ("test/loss", "test/f1")
    assert several.directions == ("minimize", "maximize")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["sweep.sampler=tpp"], "did you mean tpe?"),
        (["sweep.n_trials=0"], "a whole number from 1"),
        (["sweep.direction=maximise"], "did you mean maximize?"),
        (["sweep.metric=[a,b]"], "expected 2, one for each"),
        (["sweep.metric=[]"], "a list of texts"),
        (["sweep.metric=[a,a]", "sweep.direction=[maximize,maximize]"], "stands there twice"),
        (["sweep.metric=[a,b]", "sweep.direction=[maximize,maximize]", "sweep.pruner=median"], "expected none"),
        (["sweep.metric=[a,b]", "sweep.direction=[maximize,maximize]", "sweep.sampler=cmaes"], "knows one metric"),
        (["sweep.storage=x.journal"], "a grid is one driver's"),
        (["sweep.storage=x.journal", "sweep.sampler=tpe"], "sweep.study_name"),
        (["sweep.storage=db://me:a/b@c/d"], "sweep.storage=db://me:***@c/d: expected a database URL without"),
        (["sweep.storage='db://c/d?passwd=a'"], "sweep.storage=db://c/d?passwd=***: expected a database URL without"),
        (["+sweep.space.a=1"], "each with a text"),
        (["+sweep.trials=3"], "no such key; did you mean n_trials?"),
    ],
)
def test_mistakes_are_one_line(overrides: list[str], words: str) -> None:
    with pytest.raises(SentexpError) as error:
        settings(*overrides)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
