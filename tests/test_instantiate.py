from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.optim.lr_scheduler import StepLR

from sentexp.config import compose, conf_dir
from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.imports import import_object
from sentexp.instantiate import build, build_pipeline, build_recipe, factory
from sentexp.schema import RecurrentConfig, WhitespaceTokenizerConfig, own_keys
from sentexp.text.cleaning import Cleaning
from sentexp.text.pipeline import TextPipeline
from sentexp.text.tokenizers import WhitespaceTokenizer
from sentexp.text.vocabulary import Vocabulary

CONFIG: dict[str, Any] = {
    "text": {
        "clean": {"html": True, "lowercase": True, "punctuation": False, "numbers": False, "stop_words": False,
                  "lemmas": False},
        "init_token": "<sos>", "eos_token": None, "max_length": 5, "truncate": "tail", "head_fraction": 0.25,
        "fix_length": None,
    },
    "tokenizer": {"_target_": "sentexp.text.tokenizers.WhitespaceTokenizer"},
    "vocab": {"max_size": 10, "min_freq": 1, "specials": ["<unk>", "<pad>", "<sos>"]},
    "model": {
        "_target_": "sentexp.model.classifier.RecurrentClassifier", "cell": "lstm", "hidden_size": 4, "num_layers": 1,
        "bidirectional": True, "dropout": 0.0, "pooling": "max", "word_dropout": 0.0, "embedding_dropout": 0.0,
        "output_dropout": 0.0, "ignore_padding": True,
    },
}  # fmt: skip


def test_the_pipeline_is_that_of_the_configuration() -> None:
    vocabulary = Vocabulary(["<unk>", "<pad>", "<sos>", "good", "bad"])
    pipeline = build_pipeline(CONFIG, vocabulary)
    assert pipeline.clean == Cleaning(**CONFIG["text"]["clean"])
    assert isinstance(pipeline.tokenizer, WhitespaceTokenizer)
    assert pipeline.encode(["Good bad b c d e"]).ids.tolist() == [2, 0, 0, 0, 0]
    assert CONFIG["text"]["clean"]  # the configuration itself is left as it was


def test_the_pipeline_of_a_composed_configuration_is_that_of_its_plain_values() -> None:
    words = ("text.max_length=7", "text.clean.numbers=true", "tokenizer=whitespace", "vocab.max_size=9")
    config = compose(*words, "vocab.unlabelled=false")
    assert isinstance(config.tokenizer, WhitespaceTokenizerConfig)
    pipeline = build_pipeline(config)
    assert pipeline.clean == Cleaning(numbers=True)
    assert isinstance(pipeline.tokenizer, WhitespaceTokenizer)
    assert (pipeline.max_length, pipeline.max_size, pipeline.unlabelled) == (7, 9, False)


def defaults_of(call: Any) -> dict[str, Any]:
    parameters = inspect.signature(call).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


@pytest.mark.parametrize("name", ["tokenizer/spacy", "model/lstm", "model/bag_of_words", "model/nb_ngrams"])
def test_the_defaults_of_an_option_are_those_of_its_file(name: str) -> None:
    keys = yaml.safe_load((conf_dir() / f"{name}.yaml").read_text())
    target = keys.pop("_target_")
    keys = {key: value for key, value in keys.items() if key not in own_keys(target)}
    assert defaults_of(import_object(target)) == {**keys, **({"seed": 0} if "seed" in keys else {})}


def test_the_defaults_of_the_pipeline_are_those_of_the_files() -> None:
    text = yaml.safe_load((conf_dir() / "config.yaml").read_text())["text"]
    vocab = yaml.safe_load((conf_dir() / "vocab" / "default.yaml").read_text())
    assert defaults_of(Cleaning) == text.pop("clean")
    assert defaults_of(TextPipeline) == {**text, **vocab, "specials": tuple(vocab["specials"]), "vocabulary": None}
    assert build_pipeline({**CONFIG, "text": {}}).clean == Cleaning()


def test_a_key_that_an_older_configuration_lacks_has_its_default() -> None:
    older = {**CONFIG, "text": {"clean": {"html": False}, "max_length": 5}, "vocab": {}}
    pipeline = build_pipeline(older, Vocabulary(["<unk>", "<pad>"]))
    assert pipeline.clean == Cleaning(html=False)
    assert (pipeline.truncate, pipeline.unlabelled) == ("head", True)


@pytest.mark.parametrize("node", [CONFIG["model"], RecurrentConfig(**CONFIG["model"])], ids=["mapping", "dataclass"])
def test_the_model_is_that_of_the_configuration_on_the_embedding_given(node: Any) -> None:
    embedding = Embedding(torch.zeros(5, 3))
    model = build(node, embedding=embedding, num_classes=3, unk_index=0)
    assert model.embedding is embedding
    assert model(torch.tensor([[1, 2]]), torch.tensor([2])).shape == (1, 3)


@dataclass
class Kept:
    runtime: Any
    values: list[int]


@dataclass
class Facts:
    number: int


def test_what_is_given_at_run_time_reaches_the_target_as_it_is() -> None:
    facts = Facts(3)
    built = build({"_target_": f"{__name__}.Kept", "values": [1, 2]}, runtime=facts)
    assert built.runtime is facts
    assert type(built.values) is list


@pytest.mark.parametrize("target", ["sentexp.model.classifier.NoSuchClass", "no_such_package.thing", "plain"])
def test_a_target_that_cannot_be_imported_is_refused_by_name(target: str) -> None:
    with pytest.raises(SentexpError, match=rf"^_target_={target}: [^\n]*$"):
        build({"_target_": target})


def some_vectors(vocabulary: list[str], dim: int = 2, seed: int = 0) -> tuple[int, int, int]:
    return len(vocabulary), dim, seed


def any_vectors(**others: Any) -> dict[str, Any]:
    return others


def test_only_the_runtime_arguments_that_the_target_takes_are_passed_and_the_nodes_own_stay() -> None:
    runtime = {"vocabulary": ["a"], "cache_dir": Path("x"), "seed": 3}
    assert build({"_target_": f"{__name__}.some_vectors", "dim": 5}, **runtime) == (1, 5, 3)
    assert build({"_target_": f"{__name__}.some_vectors", "seed": 7}, **runtime) == (1, 2, 7)
    assert build({"_target_": f"{__name__}.any_vectors"}, **runtime) == runtime


def test_nested_nodes_are_instantiated_as_hydra_does_it() -> None:
    values = [{"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2}]
    built = build({"_target_": f"{__name__}.Kept", "values": values}, runtime=None)
    assert built.values == [0.5]
    kept = build({"_target_": f"{__name__}.Kept", "_recursive_": False, "values": values}, runtime=None)
    assert kept.values == values


def test_a_nested_node_that_fails_is_one_line() -> None:
    node = {"_target_": f"{__name__}.Kept", "values": {"_target_": "fractions.Fraction", "denominator": 0}}
    with pytest.raises(SentexpError, match=r"^_target_=\S+Kept: ZeroDivisionError[^\n]*$"):
        factory(node)


def test_a_recipe_holds_what_the_configuration_says() -> None:
    config = compose("optimizer=sgd", "optimizer.lr=0.5", "schedule=cosine", "trainer.device=cpu", "seed=4")
    recipe = build_recipe(config)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = recipe.optimizer([parameter])
    assert (type(optimizer), optimizer.defaults["lr"]) == (torch.optim.SGD, 0.5)
    assert recipe.schedule.keywords == {"warmup": 0.05, "final_fraction": 0.0}
    assert recipe.trainer is config.trainer
    assert (recipe.seed, recipe.interval) == (4, "step")
    assert (recipe.machine.device.type, recipe.machine.processes) == ("cpu", 1)
    assert build_recipe(config, recipe.machine).machine is recipe.machine


@pytest.mark.parametrize(("keys", "interval"), [({}, "step"), ({"interval": "epoch"}, "epoch")])
def test_the_interval_of_a_schedule_is_the_recipes_and_no_argument(keys: dict[str, str], interval: str) -> None:
    config = compose("trainer.device=cpu")
    config.schedule = {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 2, **keys}
    recipe = build_recipe(config)
    assert recipe.interval == interval
    assert isinstance(recipe.schedule, partial)
    assert (recipe.schedule.func, recipe.schedule.keywords) == (StepLR, {"step_size": 2})
    assert config.schedule.get("interval") == keys.get("interval")  # the configuration itself is left as it was
