"""The root of the configuration, and what is known of all its options together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sentexp.errors import did_you_mean
from sentexp.schema.data import DemoConfig, FilesConfig, HubConfig
from sentexp.schema.embedding import (
    FasttextConfig,
    GloveConfig,
    OneHotConfig,
    PpmiSvdConfig,
    RandomConfig,
    Word2vecConfig,
)
from sentexp.schema.keys import key
from sentexp.schema.model import BagOfWordsConfig, NbNgramsConfig, RecurrentConfig
from sentexp.schema.results import METRICS, EvaluationConfig
from sentexp.schema.sweep import SweepConfig
from sentexp.schema.text import (
    BasicTokenizerConfig,
    CallableTokenizerConfig,
    SpacyTokenizerConfig,
    TextConfig,
    VocabConfig,
    WhitespaceTokenizerConfig,
)
from sentexp.schema.tracking import MlflowConfig, NoTrackingConfig
from sentexp.schema.training import (
    AdagradConfig,
    AdamConfig,
    AdamWConfig,
    AdversarialConfig,
    ClassifyConfig,
    ConstantConfig,
    CosineConfig,
    LanguageModelConfig,
    MixedConfig,
    OneCycleConfig,
    PlateauConfig,
    RMSpropConfig,
    SGDConfig,
    SupervisedConfig,
    TrainerConfig,
    VirtualAdversarialConfig,
)


@dataclass(frozen=True)
class Composition:
    """How a configuration was composed."""

    overrides: tuple[str, ...]
    """What was typed, such as model=gru."""
    choices: Mapping[str, str]
    """The option of each group, such as model: gru."""
    values: Mapping[str, Any]
    """The configuration that this made, as plain values."""
    config_dir: str | None = None
    """The folder of --config-dir."""


@dataclass
class Config:
    """The root. A field of type `Any` is a group: an instance of one of its OPTIONS, or a dict for a `_target_` of the
    user's own."""

    seed: int = key(at_least=0)
    """Seed of initial weights, order of batches and dropout."""
    shapes: bool = key()
    """Print the shapes of one batch on its way through the model, and stop."""
    cache_dir: str = key()
    """Folder of copies of your reviews, of tokenized text and of word vectors."""
    text: TextConfig = key()
    """Cleaning and length of the reviews."""
    data: Any = key()
    """Where the reviews come from."""
    tokenizer: Any = key()
    """How a text is split into tokens."""
    vocab: VocabConfig = key()
    """Which tokens have an id of their own."""
    embedding: Any = key()
    """How token ids become vectors."""
    model: Any = key()
    """How vectors become logits."""
    optimizer: Any = key()
    """How gradients become steps."""
    schedule: Any = key()
    """The learning rate over time."""
    objective: Any = key()
    """What the training lowers beside the loss of the labelled reviews."""
    task: Any = key()
    """What the model is trained for."""
    trainer: TrainerConfig = key()
    """How the model is trained."""
    evaluation: EvaluationConfig = key()
    """How the trained model is judged."""
    tracking: Any = key()
    """Where the run is recorded."""
    sweep: SweepConfig = key()
    """How `-m` makes many jobs out of one configuration."""

    def __post_init__(self) -> None:
        # why no field: it is no key, and what dataclasses.replace makes was not composed so
        self.composition: Composition | None = None

    def problems(self) -> Iterator[str]:
        if isinstance(self.model, NbNgramsConfig) and self.trainer.sampling == "balanced":
            yield NO_SAMPLING
        if self.objective and not isinstance(self.objective, SupervisedConfig):
            for name, node in (("model=nb_ngrams", self.model), ("embedding=one_hot", self.embedding)):
                if isinstance(node, (NbNgramsConfig, OneHotConfig)):
                    yield f"objective: moves word vectors, and {name} has none; expected objective=supervised"
        init = getattr(self.model, "init", None)
        if init is not None and self.embedding and not isinstance(self.embedding, RandomConfig):
            given = getattr(self.embedding, "_target_", "of your own")
            yield f"embedding._target_={given}: model.init={init} brings word vectors; expected embedding=random"
        if isinstance(self.task, LanguageModelConfig):
            yield from self._language_model_problems()
        known = (*METRICS, "best/valid_perplexity", *(f"test/{name}" for name in self.evaluation.metrics))
        for metric in self.sweep.metrics:
            if metric not in known:
                expected = f"not one of {', '.join(known)}{did_you_mean(metric, known)}"
                yield f"sweep.metric={self.sweep.metric}: {expected}"

    def _language_model_problems(self) -> Iterator[str]:
        """Yield what task=language_model cannot work with."""
        beside = "beside task=language_model"
        if isinstance(self.model, (BagOfWordsConfig, NbNgramsConfig)):
            reason = f"does not read in an order; expected model=lstm or gru {beside}"
            yield f"model._target_={self.model._target_}: {reason}"
        elif isinstance(self.model, RecurrentConfig) and self.model.bidirectional and self.model.num_layers > 1:
            reason = "a second layer over both directions would see the word that it is to predict"
            way_out = f"expected 1, or model.bidirectional=false {beside}"
            yield f"model.num_layers={self.model.num_layers}: {reason}; {way_out}"
        if getattr(self.model, "thaw_after", None) is not None:
            yield f"model.thaw_after={self.model.thaw_after}: is for classifiers; expected null {beside}"
        if isinstance(self.embedding, OneHotConfig):
            yield f"embedding=one_hot: has no vectors to learn; expected embedding=random {beside}"
        if self.text.eos_token is None:
            yield f"text.eos_token=null: the end of a review must be told; expected \"text.eos_token='<eos>'\" {beside}"
        if self.objective and not isinstance(self.objective, SupervisedConfig):
            yield f"objective: its terms are about labels; expected objective=supervised {beside}"
        of_labels = {"label_smoothing": 0.0, "class_weight": "none", "sampling": "uniform"}
        for name, expected in of_labels.items():
            value = getattr(self.trainer, name)
            if value != expected:
                yield f"trainer.{name}={value}: is about labels; expected {expected} {beside}"


OPTIONS: dict[str, tuple[type, ...]] = {
    "data": (DemoConfig, HubConfig, FilesConfig),
    "tokenizer": (SpacyTokenizerConfig, BasicTokenizerConfig, WhitespaceTokenizerConfig, CallableTokenizerConfig),
    "embedding": (RandomConfig, OneHotConfig, PpmiSvdConfig, GloveConfig, Word2vecConfig, FasttextConfig),
    "model": (RecurrentConfig, BagOfWordsConfig, NbNgramsConfig),
    "optimizer": (SGDConfig, AdamConfig, AdamWConfig, RMSpropConfig, AdagradConfig),
    "schedule": (ConstantConfig, OneCycleConfig, CosineConfig, PlateauConfig),
    "objective": (SupervisedConfig, AdversarialConfig, VirtualAdversarialConfig, MixedConfig),
    "task": (ClassifyConfig, LanguageModelConfig),
    "tracking": (MlflowConfig, NoTrackingConfig),
}


def schema_of(group: str, target: Any) -> type | None:
    """Return the schema of a group's option; None for a `_target_` of the user's own."""
    return next((option for option in OPTIONS.get(group, ()) if option._target_ == target), None)  # type: ignore[attr-defined]


def own_keys(target: Any) -> frozenset[str]:
    """Return the keys of a built-in option that the program reads in place of its `_target_`."""
    options = [option for group in OPTIONS.values() for option in group if option._target_ == target]  # type: ignore[attr-defined]
    return frozenset(one.name for option in options for one in fields(option) if one.metadata.get("own"))


NO_SAMPLING = "trainer.sampling=balanced: the model is solved at once; expected trainer.class_weight=balanced"
"""Said of models that do not go through the reviews in epochs."""

PATHS = frozenset(
    f"{group}.{one.name}"
    for group, options in {**OPTIONS, "trainer": (TrainerConfig,)}.items()
    for option in options
    for one in fields(option)
    if one.metadata.get("path")
)
"""Keys that name a file or folder of this machine, such as data.path: another machine has the same elsewhere."""

INTERVALS = ("step", "epoch")
"""When a schedule moves."""


@dataclass(frozen=True)
class Runtime:
    """What the program itself adds to the keys of an option when it calls the option's `_target_`."""

    first: str | None = None
    """The one argument given by position."""
    required: tuple[str, ...] = ()
    """Arguments given by name, which every `_target_` must take."""
    optional: tuple[str, ...] = ()
    """Arguments given by name to a `_target_` that takes them, unless the option sets them."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys that the program itself uses, with their choices; the `_target_` is not given them."""


RUNTIME: dict[str, Runtime] = {
    "data": Runtime(optional=("cache_dir",)),
    "embedding": Runtime(optional=("vocabulary", "corpora", "cache_dir", "seed", "progress")),
    "model": Runtime(required=("embedding", "num_classes"), optional=("unk_index",)),
    "optimizer": Runtime(first="the parameters"),
    "schedule": Runtime(
        first="the optimizer", optional=("total_steps", "steps_per_epoch"), keys={"interval": INTERVALS}
    ),
}
"""By group; the `_target_` of any other group is called with the option's keys alone."""
