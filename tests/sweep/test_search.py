"""From Hydra's sweeps to Optuna's distributions."""

from __future__ import annotations

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sentexp.config import conf_dir
from sentexp.errors import SentexpError
from sentexp.sweep import search
from sentexp.sweep.plan import Plan


def space(*arguments: str) -> dict[str, BaseDistribution]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return search.space(Plan.of(arguments, {}, GlobalHydra.instance().config_loader()))


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(0,1)", FloatDistribution(0, 1)),
        ("int(interval(1,9))", IntDistribution(1, 9)),
        ("tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("tag(log,int(interval(16,256)))", IntDistribution(16, 256, log=True)),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("range(5,1,-2)", IntDistribution(3, 5, step=2)),
        ("range(0.0,0.5,0.25)", FloatDistribution(0.0, 0.25, step=0.25)),
        ("choice(last,max)", CategoricalDistribution(["last", "max"])),
        ("1,2", CategoricalDistribution(["1", "2"])),
    ],
)
def test_each_kind_of_sweep(text: str, distribution: BaseDistribution) -> None:
    assert space(f"a={text}") == {"a": distribution}


@pytest.mark.parametrize("text", ["interval(1,0)", "tag(log,interval(0,1))", "tag(log,range(0,5))"])
def test_what_is_no_distribution_is_refused(text: str) -> None:
    with pytest.raises(SentexpError, match=r"^a="):
        space(f"a={text}")


def test_a_point_is_written_as_overrides() -> None:
    assert search.point({"a.b": 0.1, "c": 3, "model": "lstm"}) == ("a.b=0.1", "c=3", "model=lstm")
