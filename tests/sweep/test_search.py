"""Samplers and pruners, from the section `sweep`."""

from __future__ import annotations

import optuna
import pytest
from hydra import compose, initialize_config_dir
from optuna.distributions import CategoricalDistribution, FloatDistribution

from sentexp.config import conf_dir, typed_section
from sentexp.errors import SentexpError
from sentexp.schema import SweepConfig
from sentexp.sweep import search


def settings(*overrides: str) -> SweepConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return typed_section(compose("config", overrides=list(overrides)).sweep, SweepConfig, "sweep.")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("none", None),
        ("median", optuna.pruners.MedianPruner),
        ("successive_halving", optuna.pruners.SuccessiveHalvingPruner),
        ("hyperband", optuna.pruners.HyperbandPruner),
    ],
)
def test_each_pruner(name: str, kind: type | None) -> None:
    found = search.pruner(settings(f"sweep.pruner={name}"))
    assert found is None if kind is None else type(found) is kind


def test_a_sampler_that_works_on_numbers_only_says_which_keys_it_draws_at_random() -> None:
    space = {"model": CategoricalDistribution(["lstm", "gru"]), "optimizer.lr": FloatDistribution(0, 1)}
    (note,) = search.notes(settings("sweep.sampler=cmaes"), space, [])
    assert note.startswith("sweep.sampler=cmaes: ")
    assert "model" in note
    assert "optimizer.lr" not in note
    assert search.notes(settings("sweep.sampler=tpe"), space, ["model.hidden_size"]) == []


@pytest.mark.parametrize("name", ["gp", "nsgaii"])
def test_a_sampler_that_learns_only_about_keys_of_all_points_says_which_it_draws_at_random(name: str) -> None:
    (note,) = search.notes(settings(f"sweep.sampler={name}"), {}, ["model.hidden_size"])
    assert note.startswith(f"sweep.sampler={name}: ")
    assert note.endswith("drawn at random: model.hidden_size")
    assert search.notes(settings(f"sweep.sampler={name}"), {}, []) == []


@pytest.mark.parametrize("name", ["cmaes", "qmc"])
def test_a_sampler_that_would_give_up_on_all_keys_is_refused(name: str) -> None:
    with pytest.raises(SentexpError, match=rf"^sweep\.sampler={name}: .* leave out model\.hidden_size; expected .*tpe"):
        search.notes(settings(f"sweep.sampler={name}"), {}, ["model.hidden_size"])
