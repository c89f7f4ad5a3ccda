"""What the configuration accepts, and what it refuses with which words."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from functools import reduce
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sentexp.config import check, check_job, compose, composition_of, conf_dir, of_its_types, plain, typed_section
from sentexp.errors import SentexpError
from sentexp.redact import flatten
from sentexp.schema import (
    OPTIONS,
    Config,
    DemoConfig,
    EvaluationConfig,
    RecurrentConfig,
    SpacyTokenizerConfig,
    SweepConfig,
    TrainerConfig,
)

OPTION_FILES = sorted(
    path.relative_to(conf_dir()).with_suffix("")
    for path in conf_dir().glob("*/*.yaml")
    if path.parent.name != "experiment"
)
LANGUAGE_MODEL = ["task=language_model", "text.eos_token='<eos>'"]

REQUIRED = {  # what an option cannot do without
    "tokenizer/callable": ["tokenizer.path=textwrap.wrap"],
    "data/hub": ["data.name=owner/name"],
    "data/files": ["data.path=."],
    "task/language_model": LANGUAGE_MODEL,
}


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra_compose("config", overrides=list(overrides))


DEFAULTS = composed()


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("2 3\ngood 1 2 3\nbad 4 5 6\n")
    return path


@pytest.mark.parametrize("option", OPTION_FILES, ids=str)
def test_every_option_composes(option: Path, vectors: Path) -> None:
    overrides = [f"{option.parent}={option.name}", *REQUIRED.get(str(option), [])]
    if option.name == "word2vec":
        overrides.append(f"embedding.path={vectors}")
    assert MISSING not in flatten(plain(compose(*overrides))).values()


def test_a_configuration_carries_how_it_was_composed_until_it_is_changed() -> None:
    config = compose("model=gru", "optimizer.lr=0.01")
    composition = composition_of(config)
    assert composition is not None
    assert composition.overrides == ("model=gru", "optimizer.lr=0.01")
    assert (composition.choices["model"], composition.choices["data"]) == ("gru", "demo")
    assert not any(group.startswith("hydra/") or option is None for group, option in composition.choices.items())
    assert "composition" not in plain(config)
    assert composition_of(copy.deepcopy(config)) == composition
    assert composition_of(dataclasses.replace(config, seed=1)) is None
    config.model.hidden_size += 1
    assert composition_of(config) is None
    assert composition_of(check(DEFAULTS)) is None
    assert composition_of(compose("seed=${data.size}")).overrides == ("seed=${data.size}",)  # type: ignore[union-attr]


@pytest.mark.parametrize("given", ["${seed}", "${nothing}", "${oc.env:HOME}", "a${seed", "a${"])
def test_a_text_from_the_environment_is_not_resolved(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{given}.db")
    with pytest.raises(SentexpError) as refused:
        compose("seed=1")
    line = f"tracking.uri=sqlite:///{given}.db: expected a text or null without ${{, which begins a reference"
    assert str(refused.value) == line


@pytest.mark.parametrize("preset", sorted(path.stem for path in conf_dir().glob("experiment/*.yaml")))
def test_every_preset_composes(preset: str) -> None:
    assert MISSING not in flatten(plain(compose(f"experiment={preset}"))).values()


@pytest.mark.parametrize("option", OPTION_FILES, ids=str)
def test_every_option_has_exactly_the_keys_of_its_schema(option: Path) -> None:
    values = OmegaConf.load(conf_dir() / f"{option}.yaml")
    group = str(option.parent)
    if group in OPTIONS:
        for base in values.pop("defaults", []):
            values = OmegaConf.merge(OmegaConf.load(conf_dir() / group / f"{base}.yaml"), values)
    keys = set(values)
    if group in OPTIONS:
        target = values._target_
        schemas = {schema._target_: schema for schema in OPTIONS[group]}
        assert target in schemas, "expected a class with this _target_ in schema.OPTIONS"
        schema = schemas[target]
    elif group == "sweep":
        assert keys <= {"defaults", *(field.name for field in dataclasses.fields(SweepConfig))}
        return
    else:
        schema = get_type_hints(Config)[group]
    assert keys == {field.name for field in dataclasses.fields(schema)}


def test_a_values_own_file_can_be_added_from_outside(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "wide.yaml").write_text("defaults: [lstm]\nhidden_size: 512\n")
    assert compose("model=wide", f"hydra.searchpath=[file://{tmp_path}]").model.hidden_size == 512


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.hidden_size=abc", ["model.hidden_size=abc", "expected a whole number from 1"]),
        ("model.hidden_size=0", ["model.hidden_size=0", "from 1"]),
        ("model.hidden_size=2.5", ["model.hidden_size=2.5", "whole number"]),
        ("model.hidden_size=null", ["model.hidden_size=null", "whole number"]),
        ("model.bidirectional=perhaps", ["model.bidirectional=perhaps", "true or false"]),
        ("model.bidirectional=2", ["model.bidirectional=2", "true or false"]),
        ("model.pooling=maxx", ["model.pooling=maxx", "last, max, mean, concat", "did you mean max?"]),
        ("model.dropout=1", ["model.dropout=1", "from 0 below 1"]),
        ("optimizer.lr=-1", ["optimizer.lr=-1", "above 0"]),
        ("optimizer.lr=nan", ["optimizer.lr=nan", "above 0"]),
        ("optimizer.betas=[0.9,1.0]", ["optimizer.betas=[0.9, 1.0]", "list of numbers"]),
        ("sweep.metric=test/acuracy", ["sweep.metric=test/acuracy", "did you mean test/accuracy?"]),
        ("sweep.metric=test/mcc", ["sweep.metric=test/mcc", "not one of"]),
        ("sweep.direction=maximise", ["sweep.direction=maximise", "did you mean maximize?"]),
        ("evaluation.metrics=3", ["evaluation.metrics=3", "expected names, each with a dotted path"]),
        ("+evaluation.metrics.mcc=nowhere.mcc", ["evaluation.metrics.mcc=nowhere.mcc", "No module named 'nowhere'"]),
        ("+evaluation.metrics.mcc=math.sinn", ["evaluation.metrics.mcc=math.sinn", "did you mean sin?"]),
        ("+evaluation.metrics.mcc=math.pi", ["evaluation.metrics.mcc=math.pi", "is float, expected a function"]),
        ("+evaluation.metrics.mcc=math.sin", ["evaluation.metrics.mcc=math.sin", "two arguments, labels [N] and"]),
        ("+evaluation.metrics.f1=math.pow", ["evaluation.metrics.f1=math.pow", "f1 is always computed"]),
        ("cache_dir=${seed.x}", ["cache_dir"]),
        ("~data._target_", ["data={", "expected one of the options in conf/data/"]),
        ("text=null", ["text=None", "expected keys and values"]),
        ("optimizer.betas=[0.9]", ["optimizer.betas=[0.9]", "two numbers"]),
        ("trainer.device=gpu", ["trainer.device=gpu", "auto, cpu, cuda or cuda:1"]),
        ("trainer.processes=0", ["trainer.processes=0", "auto or a number from 1"]),
        ("trainer.precision=fp16", ["trainer.precision=fp16", "auto, fp32, bf16"]),
        ("vocab.specials=[a,b]", ["vocab.specials", "<unk>"]),
        ("text.clean=true", ["text.clean=True", "expected keys and values"]),
        ("text.truncate=middle", ["text.truncate=middle", "head, tail, head_tail"]),
        ("seed=-1", ["seed=-1", "from 0"]),
        ("+model.hiden_size=3", ["model.hiden_size=3", "no such key", "did you mean hidden_size?"]),
        ("++trainer.new=3", ["trainer.new=3", "no such key"]),
        ("+new.key=3", ["new", "no such key"]),
        ("~trainer.epochs", ["trainer.epochs", "no value"]),
    ],
)
def test_one_wrong_value_is_refused_with_key_value_and_expectation(override: str, words: list[str]) -> None:
    with pytest.raises(SentexpError) as refused:
        check(composed(override))
    message = str(refused.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.dropout=0.5"], ["model.dropout=0.5", "model.num_layers"]),
        (["text.fix_length=50", "text.max_length=60"], ["text.fix_length=50", "text.max_length"]),
        (["text.init_token='<sos>'", "text.eos_token='<eos>'", "text.max_length=2"], ["text.max_length=2", "no room"]),
        (["trainer.batch_size=null", "trainer.max_tokens=null"], ["trainer.batch_size=null", "trainer.max_tokens"]),
        (["trainer.class_weight=balanced", "trainer.sampling=balanced"], ["trainer.sampling", "class_weight=none"]),
        (["model=nb_ngrams", "trainer.sampling=balanced"], ["trainer.sampling=balanced", "class_weight=balanced"]),
        (["embedding=glove", "embedding.dim=51"], ["embedding.dim=51", "50, 100, 200, 300"]),
        (["embedding=glove", "embedding.thaw_after=2"], ["embedding.thaw_after=2", "embedding.freeze=true"]),
        (["embedding=word2vec"], ["embedding.path", "needs a value"]),
        (["embedding=glove", "embedding.path=nowhere.txt"], ["embedding.path=nowhere.txt", "no such file"]),
        (["optimizer=sgd", "optimizer.nesterov=true"], ["optimizer.nesterov=true", "optimizer.momentum"]),
        (["objective=mixed", "model=nb_ngrams"], ["objective: moves word vectors", "model=nb_ngrams has none"]),
        (["objective=adversarial", "embedding=one_hot"], ["embedding=one_hot has none", "objective=supervised"]),
        (
            ["objective=mixed", "objective.adversarial=0", "objective.virtual_adversarial=0", "objective.entropy=0"],
            ["no term has a weight", "objective=supervised"],
        ),
        (["task=language_model"], ["text.eos_token=null", "expected \"text.eos_token='<eos>'\""]),
        ([*LANGUAGE_MODEL, "task.cutoffs=[5,3]"], ["task.cutoffs=[5, 3]", "ascending"]),
        ([*LANGUAGE_MODEL, "model=bag_of_words"], ["does not read in an order", "model=lstm or gru"]),
        (
            [*LANGUAGE_MODEL, "model.bidirectional=true", "model.num_layers=2"],
            ["model.num_layers=2", "see the word that it is to predict", "model.bidirectional=false"],
        ),
        ([*LANGUAGE_MODEL, "embedding=one_hot"], ["embedding=one_hot", "embedding=random"]),
        ([*LANGUAGE_MODEL, "objective=mixed"], ["objective", "objective=supervised beside task=language_model"]),
        ([*LANGUAGE_MODEL, "trainer.label_smoothing=0.1"], ["trainer.label_smoothing=0.1", "expected 0.0 beside"]),
        ([*LANGUAGE_MODEL, "trainer.class_weight=balanced"], ["trainer.class_weight=balanced", "expected none"]),
        ([*LANGUAGE_MODEL, "model.init=a", "model.thaw_after=1"], ["model.thaw_after=1", "is for classifiers"]),
        (["model.thaw_after=1"], ["model.thaw_after=1", "expected model.init=RUN"]),
        (["model.init=latest", "embedding=glove"], ["model.init=latest brings word vectors", "embedding=random"]),
        (["trainer.keep=last", "trainer.early_stopping=2"], ["trainer.keep=last", "trainer.early_stopping=null"]),
        (["data=hub"], ["data.name=null", "data.path"]),
        (["data=files"], ["data.path=null", "data.train"]),
        (["data=files", "data.path=nowhere"], ["data.path=nowhere", "no such file"]),
        (["data=files", "data.path=.", "data.test=."], ["data.path", "data.test"]),
        (["text.fix_length=2", "text.init_token='<sos>'", "text.eos_token='<eos>'"], ["text.fix_length=2", "no room"]),
        (["vocab.specials=['<unk>','<pad>','<pad>']"], ["vocab.specials", "stands there twice"]),
        (["embedding=fasttext", "embedding.dim=100"], ["embedding.dim=100", "wiki-news-300d-1M comes with 300"]),
        (["data=hub", "data.path=nowhere"], ["data.path=nowhere", "no such file or folder"]),
        (["sweep.metric=[test/loss,test/f1]"], ["sweep.direction=[maximize]", "expected 2, one for each"]),
        (
            [
                "model=bag_of_words",
                "sweep.pruner=median",
                "sweep.metric=[test/loss,test/f1]",
                "sweep.direction=[minimize,maximize]",
            ],
            ["sweep.pruner=median", "expected none"],
        ),
    ],
)
def test_what_cannot_work_together_is_refused(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(SentexpError) as refused:
        check(composed(*overrides))
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.valid_fraction=0"], ["data.valid_fraction=0", "best/valid_accuracy", "sweep.metric=test/accuracy"]),
        (
            ["data.valid_fraction=0", "sweep.metric=test/accuracy", "sweep.pruner=median"],
            ["data.valid_fraction=0", "pruner median"],
        ),
        (LANGUAGE_MODEL, ["sweep.metric=best/valid_accuracy", "sweep.metric=best/valid_perplexity", "minimize"]),
    ],
)
def test_a_sweep_needs_what_it_goes_by(overrides: list[str], words: list[str]) -> None:
    check(composed(*overrides))
    with pytest.raises(SentexpError) as refused:
        check_job(composed(*overrides))
    for word in words:
        assert word in str(refused.value)
    check_job(composed("data.valid_fraction=0", "sweep.metric=test/accuracy"))
    check_job(composed(*LANGUAGE_MODEL, "sweep.metric=best/valid_perplexity", "sweep.direction=minimize"))


def test_an_embedding_file_of_another_dimension_is_refused(vectors: Path) -> None:
    with pytest.raises(SentexpError, match=r"embedding\.dim=100: .* holds vectors of 3; expected embedding\.dim=3"):
        compose("embedding=fasttext", f"embedding.path={vectors}", "embedding.dim=100")


def test_the_result_is_made_of_the_schemas_dataclasses() -> None:
    config = compose("data.size=200", "tracking=none")
    assert isinstance(config, Config)
    assert isinstance(config.trainer, TrainerConfig)
    assert isinstance(config.evaluation, EvaluationConfig)
    assert isinstance(config.model, RecurrentConfig)
    assert isinstance(config.tokenizer, SpacyTokenizerConfig)
    assert config.data == DemoConfig(
        size=200, unlabelled=0, test_fraction=0.2, valid_fraction=0.1, labels=None, limit=None, seed=0
    )
    assert type(config.optimizer.betas) is list
    assert type(config.vocab.specials) is list
    assert type(config.sweep.space) is dict


def test_plain_values_are_those_of_yaml() -> None:
    values = plain(compose("sweep=lstm", "+evaluation.metrics.power=math.pow"))
    assert yaml.safe_load(yaml.safe_dump(values)) == values
    assert list(values) == [field.name for field in dataclasses.fields(Config)]
    assert values["model"]["_target_"] == "sentexp.model.classifier.RecurrentClassifier"
    assert values["evaluation"] == {
        "metrics": {"power": "math.pow"},
        "baseline": True,
        "texts": False,
        "positive": None,
    }
    assert plain(values["model"]) == values["model"]


@pytest.mark.parametrize("name", ["a b", "a@b", "", "-a", "a/b", 3])
def test_a_metric_has_a_name_that_mlflow_takes(name: object) -> None:
    config = DEFAULTS.copy()
    config.evaluation.metrics = {name: "math.pow"}
    with pytest.raises(SentexpError, match=f"^evaluation.metrics.{name}=math.pow: expected a name made of letters"):
        check(config)


@pytest.mark.parametrize("given", [["model=gru"], ("seed=1",), 3, None, {"seed": 1}])
def test_overrides_are_separate_arguments(given: Any) -> None:
    with pytest.raises(SentexpError, match=r"^compose\(.*\): expected each override as a text of its own, such as "):
        compose("seed=1", given)


def test_a_metric_of_the_users_own_may_be_what_a_sweep_compares() -> None:
    config = compose("+evaluation.metrics.power=math.pow", "sweep.metric=test/power")
    assert config.sweep.metrics == ("test/power",)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.text_column=[]", r"data\.text_column=\[\]: expected a column, or a list of columns"),
        ("data.text_column=label", r"data\.text_column=label: expected another column than data\.label_column"),
        ("data.label_map={1: [a], 2: b}", r"data\.label_map=.*: expected labels with their new names"),
        ("data.label_map=pos", r"data\.label_map=pos: expected labels with their new names"),
        ("data.label_map={3: null}", r"data\.label_map=.*: expected labels with their new names"),
        ("data.label_cuts=[3,2]", r"data\.label_cuts=\[3\.0, 2\.0\]: expected one or more numbers in ascending order"),
        ("data.label_cuts=[]", r"data\.label_cuts=\[\]: expected one or more numbers"),
        ("data.delimiter=ab", r"data\.delimiter=ab: expected auto, comma, semicolon, tab, bar or one character"),
    ],
)
@pytest.mark.parametrize("source", ["files", "hub"])
def test_columns_and_labels_are_checked_before_anything_is_read(
    source: str, override: str, message: str, tmp_path: Path
) -> None:
    if source == "hub" and "delimiter" in override:
        message = r"data\.delimiter=ab: no such key"
    with pytest.raises(SentexpError, match=message):
        compose(f"data={source}", f"data.path='{tmp_path}'", override)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=imdb", "data.unlabelled_split=train"], r"=train: expected another split than data\.train_split"),
        (["data=hub", "data.name=a/b", "data.valid_split=dev", "data.unlabelled_split=dev"], "than data.valid_split"),
        (
            ["data=files", "data.path={here}", "data.unlabelled={here}"],
            r"expected another file or folder than data\.pa",
        ),
        (["data=files", "data.path={here}", "data.unlabelled={here}/none"], r"none: no such file or folder"),
        (["data.unlabelled=-1"], r"data\.unlabelled=-1: expected"),
        (["data.labels=1"], r"data\.labels=1: expected"),
    ],
)
def test_unlabelled_texts_are_checked_before_anything_is_read(overrides: list[str], message: str, tmp_path) -> None:
    with pytest.raises(SentexpError, match=message):
        compose(*(override.format(here=tmp_path) for override in overrides))


def test_a_map_and_cuts_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match=r"data\.label_cuts=\[2\.0\]: expected without data\.label_map"):
        compose("data=files", f"data.path='{tmp_path}'", "data.label_cuts=[2]", "data.label_map={1: a, 2: b}")


OWN_MODEL = """
_target_: own_models.Conv
embedding_dim: ${embedding.dim}
sizes: [3, 5]
activation:
  _target_: torch.nn.ReLU
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The override that adds a folder of options of the user's own."""
    (tmp_path / "own_models.py").write_text(
        "class Conv:\n    def __init__(self, embedding, num_classes, embedding_dim, sizes, activation=None): ...\n"
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "conv.yaml").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    return f"hydra.searchpath=[file://{tmp_path}]"


def test_a_target_of_the_users_own_is_a_dict_with_its_references_resolved(own: str) -> None:
    model = compose(own, "model=conv", "embedding.dim=7").model
    assert type(model) is dict
    assert model["embedding_dim"] == 7
    assert model["sizes"] == [3, 5]
    assert type(model["sizes"]) is list
    assert model["activation"] == {"_target_": "torch.nn.ReLU"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model._target_=my.models.Transformer"], "model._target_=my.models.Transformer: cannot be imported"),
        (
            ["+model.size=[3]"],
            "model.size=[3]: own_models.Conv takes no such argument; did you mean sizes? (it",
        ),
        (["~model.sizes"], "model.sizes: own_models.Conv needs a value for it: +model.sizes=..."),
        (["model.sizes=???"], "model.sizes: needs a value: model.sizes=..."),
        (["model.sizes=${nothing}"], "model.sizes: Interpolation key 'nothing' not found"),
        (["+model.activation.inplac=true"], "model.activation.inplac=true: torch.nn.ReLU takes no such argument"),
    ],
)
def test_a_target_of_the_users_own_is_checked_against_its_signature(
    own: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(SentexpError) as refused:
        compose(own, "model=conv", *overrides)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@settings(max_examples=60, deadline=None)
@given(
    key=st.sampled_from(["seed", "shapes", "text.max_length", "model.hidden_size", "optimizer.lr", "trainer.device"]),
    value=st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=3)
    ),
)
def test_any_value_is_accepted_in_its_type_or_refused_by_its_key(key: str, value: object) -> None:
    config = DEFAULTS.copy()
    try:
        OmegaConf.update(config, key, value)
    except OmegaConfBaseException:
        return  # never reaches us: OmegaConf takes no such value at all
    before = type(OmegaConf.select(DEFAULTS, key))
    refusal = ""
    try:
        accepted = reduce(getattr, key.split("."), check(config))
    except SentexpError as error:
        refusal, accepted = str(error), None
    kind = int if key == "text.max_length" else before
    assert key in refusal or accepted is None or isinstance(accepted, kind)


RECORDED = {
    "seed": 1,
    "text": {"clean": {"html": False}, "max_length": 5},
    "tokenizer": {"_target_": "sentexp.text.tokenizers.SpacyTokenizer", "language": "fr"},
    "model": {"_target_": "sentexp.model.classifier.RecurrentClassifier", "dropout": 0},
    "trainer": "of no interest",
}


def test_what_a_run_has_recorded_is_read_in_the_types_of_its_schema() -> None:
    read = of_its_types(RECORDED, ("seed", "text", "tokenizer", "model", "vocab"))
    assert read == RECORDED
    assert type(read["model"]["dropout"]) is float
    assert read["text"]["clean"] == {"html": False}, "keys that came later stay away"


def test_an_option_of_the_users_own_is_left_as_it_was_recorded() -> None:
    own = {"_target_": "mine.Model", "sizes": [3, "x"], "text": "\\${a} ${b}", "inner": {1: None}}
    assert of_its_types({**RECORDED, "model": own}, ("model",))["model"] is own


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("seed", "x", r"seed=x: expected a whole number from 0"),
        ("text", 5, r"text=5: expected keys and values, not one value"),
        ("text", {"clean": [1]}, r"text\.clean=\[1\]: expected keys and values, not one value"),
        (
            "text",
            {"init_token": "${oc.env:HOME}"},
            r"text\.init_token=\$\{oc\.env:HOME\}: expected a text or null without .*",
        ),
        ("text", {"max_length": [3]}, r"text\.max_length=\[3\]: expected a whole number from 2 to .*"),
        ("text", {"clean": {1: 2}}, r"text\.clean\.1=2: no such key.*"),
        ("text", {"clean": {None: 2}}, r".*NoneType.*"),
        ("text", {"truncate": datetime.date(2026, 1, 1)}, r"text\.truncate: .*date.*"),
        ("model", None, r"model=None: expected one of the options in conf/model/"),
        ("model", {"hidden_size": 3}, r"model=.*: expected one of the options in conf/model/"),
        ("model", {"_target_": ["x"]}, r"model\._target_=\['x'\]: cannot be imported .*"),
        ("model", {**RECORDED["model"], "hidden_size": "x"}, r"model\.hidden_size=x: expected a whole number from 1"),
        ("model", {**RECORDED["model"], "hiden_size": 3}, r"model\.hiden_size=3: no such key; did you mean .*"),
        ("model", {**RECORDED["model"], "cell": "???"}, r"model\.cell: needs a value.*"),
        ("tokenizer", {**RECORDED["tokenizer"], "lemmas": 3}, r"tokenizer\.lemmas=3: expected true or false"),
    ],
)
def test_what_a_run_cannot_have_recorded_is_refused_with_its_key(section: str, value: object, message: str) -> None:
    with pytest.raises(SentexpError, match=f"^{message}$"):
        of_its_types({**RECORDED, section: value}, (section,))


def test_post_is_the_tutorial_to_the_letter() -> None:
    config = compose("experiment=post")
    assert (config.vocab.max_size, config.data.valid_fraction, config.embedding.dim) == (25000, 0.3, 100)
    assert (config.model.hidden_size, config.model.num_layers, config.model.bidirectional) == (128, 1, False)
    assert (config.model.pooling, config.model.ignore_padding) == ("last", False)
    assert (config.optimizer._target_, config.optimizer.lr, config.optimizer.momentum) == ("torch.optim.SGD", 1e-3, 0)
    assert (config.trainer.epochs, config.trainer.batch_size, config.trainer.bucket) == (3, 64, False)
    assert config.text.clean.lowercase is False


def test_post_fixed_differs_from_post_in_padding_and_optimizer_alone() -> None:
    post, fixed = (plain(compose(f"experiment={name}")) for name in ("post", "post_fixed"))
    different = {key for key in post if post[key] != fixed[key]}
    assert different == {"model", "optimizer", "trainer"}
    assert {key for key in post["model"] if post["model"][key] != fixed["model"][key]} == {"ignore_padding"}
    assert fixed["optimizer"]["_target_"] == "torch.optim.Adam"


def sweep(*overrides: str) -> SweepConfig:
    return typed_section(composed(*overrides).sweep, SweepConfig, "sweep.")


def test_a_sweep_compares_one_metric_or_several() -> None:
    one, several = sweep(), sweep("sweep.metric=[test/loss,test/f1]", "sweep.direction=[minimize,maximize]")
    assert (one.metrics, one.directions) == (("best/valid_accuracy",), ("maximize",))
    assert (several.metrics, several.directions) == (("test/loss", "test/f1"), ("minimize", "maximize"))


def test_every_sampler_but_the_grid_is_a_search() -> None:
    assert not sweep().is_search
    assert sweep("sweep.sampler=random").is_search


def test_references_in_the_space_of_a_sweep_stay_for_its_jobs() -> None:
    space = sweep("+sweep.space.seed='choice(1,${trainer.epochs})'").space
    assert space == {"seed": "choice(1,${trainer.epochs})"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["sweep.sampler=tpp"], "did you mean tpe?"),
        (["sweep.n_trials=0"], "a whole number from 1"),
        (["sweep.direction=maximise"], "did you mean maximize?"),
        (["sweep.metric=[a,b]"], "expected 2, one for each"),
        (["sweep.metric=[]"], "a list of texts"),
        (["sweep.metric=3"], "sweep.metric=3: expected a text, or a list of texts"),
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
def test_what_a_sweep_cannot_do_is_refused_in_one_line(overrides: list[str], words: str) -> None:
    with pytest.raises(SentexpError) as error:
        sweep(*overrides)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
