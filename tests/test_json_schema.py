from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from sentexp.config import compose, plain
from sentexp.config_files import conf_dir
from sentexp.json_schema import json_schema

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def problems(content: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(content)]


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("preset", sorted(conf_dir().glob("experiment/*.yaml")), ids=lambda path: path.stem)
def test_every_preset_is_accepted(preset) -> None:
    assert problems(yaml.safe_load(preset.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "option",
    [path for group in ("data", "tokenizer", "embedding", "model", "optimizer", "schedule", "tracking")
     for path in sorted(conf_dir().glob(f"{group}/*.yaml"))],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)  # fmt: skip
def test_every_option_is_accepted_as_its_section(option) -> None:
    values = yaml.safe_load(option.read_text(encoding="utf-8"))
    given = {name: value for name, value in values.items() if name != "defaults" and value != "???"}
    assert problems({option.parent.name: given}) == []


def test_a_whole_configuration_is_accepted() -> None:
    assert problems(plain(compose())) == []


@pytest.mark.parametrize(
    "content",
    [
        {"modle": {}},
        {"model": {"hiden_size": 3}},
        {"model": {"hidden_size": 0}},
        {"model": {"pooling": "maxx"}},
        {"trainer": {"epochs": "three"}},
        {"trainer": {"class_weight": True}},
        {"text": {"clean": {"lower": True}}},
        {"optimizer": {"_target_": "torch.optim.AdamW", "betas": 0.9}},
    ],
)
def test_what_training_would_refuse_is_marked(content) -> None:
    assert problems(content)


@pytest.mark.parametrize(
    "content",
    [
        {"model": {"_target_": "mine.models.Conv", "width": 3}},
        {"seed": "${oc.env:SEED}"},
        {"model": {"hidden_size": "${embedding.dim}"}},
        {"optimizer": {"momentum": 0.9}},
    ],
)
def test_what_it_cannot_know_is_accepted(content) -> None:
    assert problems(content) == []


def test_keys_carry_their_meaning() -> None:
    trainer = json_schema()["properties"]["trainer"]
    assert trainer["description"] == "How the model is trained."
    assert trainer["properties"]["epochs"]["description"].startswith("Passes over the training reviews")
