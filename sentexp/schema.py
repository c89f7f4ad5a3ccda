"""The typed schema: every key of the configuration with its type, unit, range and meaning.

The YAML files under conf/ give each key its value; nothing here does. A group's option is known by its `_target_`, the
callable that it configures; a `_target_` of the user's own has no schema and is passed through as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from omegaconf import MISSING

from sentexp.redact import PASSWORD


def key(
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    pattern: str | None = None,
    expected: str | None = None,
) -> Any:
    """One key: its value comes from YAML, its bounds from here. `expected` words a `pattern` (a regular expression)."""
    rules: dict[str, Any] = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    rules |= {"choices": choices, "pattern": pattern, "expected": expected}
    return field(default=MISSING, metadata={rule: value for rule, value in rules.items() if value not in (None, ())})


@dataclass
class CleanConfig:
    html: bool = key()
    """Tags become a space, entities the character they stand for."""
    lowercase: bool = key()
    """Upper case becomes lower case, after tokenizing."""
    punctuation: bool = key()
    """Words made of punctuation alone are dropped."""
    numbers: bool = key()
    """Numbers are dropped."""
    stop_words: bool = key()
    """spaCy's English stop words are dropped."""
    lemmas: bool = key()
    """Each word is replaced by its lemma from spaCy's look-up table."""


@dataclass
class TextConfig:
    clean: CleanConfig = key()
    """Cleaning, each its own switch."""
    init_token: Optional[str] = key()
    """Put before each review."""
    eos_token: Optional[str] = key()
    """Put after each review."""
    max_length: Optional[int] = key(at_least=2)
    """Longest review in words, init_token and eos_token included."""
    truncate: str = key(choices=("head", "tail", "head_tail"))
    """The part that a review longer than max_length keeps."""
    head_fraction: float = key(above=0, below=1)
    """With truncate=head_tail, the share of max_length that is taken from the head."""
    fix_length: Optional[int] = key(at_least=2)
    """Words that every review is cut or padded to."""


@dataclass
class DemoConfig:
    _target_: str = "sentexp.data.demo.load"
    size: int = key(at_least=20)
    """Reviews in all."""
    test_fraction: float = key(above=0, below=1)
    """Share of the reviews kept for the test."""
    valid_fraction: float = key(above=0, below=1)
    """Share of the remaining reviews kept for validation."""
    limit: Optional[int] = key(at_least=2)
    """Reviews of each split at most."""
    seed: int = key(at_least=0)
    """Of the generator and the splits."""


@dataclass
class HubConfig:
    _target_: str = "sentexp.data.hub.load"
    name: Optional[str] = key()
    """OWNER/NAME on the Hugging Face Hub."""
    config: Optional[str] = key()
    """The dataset's own configuration."""
    revision: Optional[str] = key()
    """Commit or tag of the dataset."""
    path: Optional[str] = key()
    """Local folder in the Hub's layout, read instead of the Hub."""
    text_column: str = key()
    """Column that holds the review."""
    label_column: str = key()
    """Column that holds the label."""
    train_split: str = key()
    """Split to train on."""
    valid_split: Optional[str] = key()
    """Split to validate on; without one, part of the training split."""
    test_split: str = key()
    """Split to test on."""
    valid_fraction: float = key(above=0, below=1)
    """Share of the training split kept for validation where valid_split is null."""
    limit: Optional[int] = key(at_least=2)
    """Reviews of each split at most."""
    seed: int = key(at_least=0)
    """Of the splits."""


@dataclass
class FilesConfig:
    _target_: str = "sentexp.data.files.load"
    path: Optional[str] = key()
    """One file or folder that is split by the fractions, or a folder of train/ and test/."""
    train: Optional[str] = key()
    """File or folder to train on."""
    valid: Optional[str] = key()
    """File or folder to validate on."""
    test: Optional[str] = key()
    """File or folder to test on."""
    format: str = key(choices=("auto", "csv", "tsv", "jsonl", "parquet", "folder"))
    """How the files are read; auto goes by the ending of their names."""
    text_column: str = key()
    """Column that holds the review."""
    label_column: str = key()
    """Column that holds the label."""
    encoding: str = key()
    """Of text files, by Python's name for it."""
    test_fraction: float = key(above=0, below=1)
    """Share kept for the test where there is no test file."""
    valid_fraction: float = key(above=0, below=1)
    """Share of the rest kept for validation where there is no validation file."""
    limit: Optional[int] = key(at_least=2)
    """Reviews of each split at most."""
    seed: int = key(at_least=0)
    """Of the splits."""


@dataclass
class SpacyTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.SpacyTokenizer"
    language: str = key()
    """spaCy's code of the language, such as en."""
    lemmas: bool = key()
    """Replace each word by its lemma from spaCy's look-up table."""


@dataclass
class BasicTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.BasicTokenizer"


@dataclass
class WhitespaceTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.WhitespaceTokenizer"


@dataclass
class CallableTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.CallableTokenizer"
    path: str = key(pattern=r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", expected="a dotted path such as package.module.function")
    """Dotted path of a function from str to list of str."""


@dataclass
class VocabConfig:
    max_size: Optional[int] = key(at_least=1)
    """Words kept, the most frequent first; specials are not counted."""
    min_freq: int = key(at_least=1)
    """Words that occur less often in the training reviews are left out."""
    specials: list[str] = key()
    """First entries of the vocabulary; <unk> and <pad> must be among them."""


@dataclass
class RandomConfig:
    _target_: str = "sentexp.embedding.table.random"
    dim: int = key(at_least=1)
    """Numbers a word, E."""
    std: float = key(above=0)
    """Standard deviation of the normal distribution that they are drawn from."""
    freeze: bool = key()
    """Leave the vectors as they were drawn."""


@dataclass
class OneHotConfig:
    _target_: str = "sentexp.embedding.table.one_hot"


@dataclass
class GloveConfig:
    _target_: str = "sentexp.embedding.pretrained.glove"
    name: str = key(choices=("6B", "42B", "840B", "twitter.27B"))
    """Which of the published archives."""
    dim: int = key(at_least=1)
    """Numbers a word, E."""
    path: Optional[str] = key()
    """File read instead of the download."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""


@dataclass
class Word2vecConfig:
    _target_: str = "sentexp.embedding.pretrained.word2vec"
    path: str = key()
    """File in word2vec's text or binary format."""
    dim: Optional[int] = key(at_least=1)
    """Numbers a word, E; null takes what the file holds."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""


@dataclass
class FasttextConfig:
    _target_: str = "sentexp.embedding.pretrained.fasttext"
    name: str = key(choices=("wiki-news-300d-1M", "crawl-300d-2M"))
    """Which of the published files."""
    dim: int = key(at_least=1)
    """Numbers a word, E."""
    path: Optional[str] = key()
    """File read instead of the download."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""


@dataclass
class RecurrentConfig:
    _target_: str = "sentexp.model.classifier.RecurrentClassifier"
    cell: str = key(choices=("lstm", "gru"))
    """Kind of recurrent layer."""
    hidden_size: int = key(at_least=1)
    """Features of the hidden state in each direction, H."""
    num_layers: int = key(at_least=1)
    """Recurrent layers stacked on one another."""
    bidirectional: bool = key()
    """Read each review backwards as well."""
    dropout: float = key(at_least=0, below=1)
    """Dropout between stacked layers, as in torch.nn.LSTM."""
    pooling: str = key(choices=("last", "max", "mean", "concat", "attention"))
    """From the outputs of all time steps to one vector; concat is last, max and mean side by side."""
    word_dropout: float = key(at_least=0, below=1)
    """Share of words read as <unk> while training."""
    embedding_dropout: float = key(at_least=0, below=1)
    """Dropout on the word vectors."""
    output_dropout: float = key(at_least=0, below=1)
    """Dropout on the pooled vector."""
    ignore_padding: bool = key()
    """False reads the padding as if it were text."""


@dataclass
class BagOfWordsConfig:
    _target_: str = "sentexp.model.bag_of_words.BagOfWordsClassifier"
    pooling: str = key(choices=("mean", "max", "sum"))
    """From the word vectors to one vector."""
    word_dropout: float = key(at_least=0, below=1)
    """Share of words read as <unk> while training."""
    embedding_dropout: float = key(at_least=0, below=1)
    """Dropout on the word vectors."""
    output_dropout: float = key(at_least=0, below=1)
    """Dropout on the pooled vector."""


@dataclass
class SGDConfig:
    _target_: str = "torch.optim.SGD"
    lr: float = key(above=0)
    """Learning rate; a schedule's highest."""
    momentum: float = key(at_least=0, below=1)
    """Share of the last step's direction that is kept."""
    nesterov: bool = key()
    """Nesterov's momentum."""
    weight_decay: float = key(at_least=0)
    """L2 penalty."""


@dataclass
class AdamConfig:
    _target_: str = "torch.optim.Adam"
    lr: float = key(above=0)
    """Learning rate; a schedule's highest."""
    betas: list[float] = key(at_least=0, below=1)
    """Decay of the averages of the gradient and of its square."""
    eps: float = key(above=0)
    """Keeps the division finite."""
    weight_decay: float = key(at_least=0)
    """L2 penalty; decoupled from the gradient in AdamW."""


@dataclass
class AdamWConfig(AdamConfig):
    _target_: str = "torch.optim.AdamW"


@dataclass
class RMSpropConfig:
    _target_: str = "torch.optim.RMSprop"
    lr: float = key(above=0)
    """Learning rate; a schedule's highest."""
    alpha: float = key(at_least=0, below=1)
    """Decay of the average of the squared gradient."""
    eps: float = key(above=0)
    """Keeps the division finite."""
    momentum: float = key(at_least=0, below=1)
    """Share of the last step's direction that is kept."""
    weight_decay: float = key(at_least=0)
    """L2 penalty."""


@dataclass
class AdagradConfig:
    _target_: str = "torch.optim.Adagrad"
    lr: float = key(above=0)
    """Learning rate; a schedule's highest."""
    lr_decay: float = key(at_least=0)
    """Further decay of the rate with each step."""
    eps: float = key(above=0)
    """Keeps the division finite."""
    weight_decay: float = key(at_least=0)
    """L2 penalty."""


@dataclass
class ConstantConfig:
    _target_: str = "sentexp.training.schedules.constant"
    warmup: float = key(at_least=0, below=1)
    """Share of all steps in which the rate grows linearly."""


@dataclass
class OneCycleConfig:
    _target_: str = "sentexp.training.schedules.one_cycle"
    pct_start: float = key(above=0, below=1)
    """Share of all steps on the way up."""
    div_factor: float = key(at_least=1)
    """optimizer.lr over the first rate."""
    final_div_factor: float = key(at_least=1)
    """First rate over the last one."""


@dataclass
class CosineConfig:
    _target_: str = "sentexp.training.schedules.cosine"
    warmup: float = key(at_least=0, below=1)
    """Share of all steps in which the rate grows linearly."""
    final_fraction: float = key(at_least=0, at_most=1)
    """Last rate as a share of optimizer.lr."""


@dataclass
class PlateauConfig:
    _target_: str = "sentexp.training.schedules.plateau"
    factor: float = key(above=0, below=1)
    """The rate is multiplied by this."""
    patience: int = key(at_least=0)
    """Epochs without progress before that."""
    min_lr: float = key(at_least=0)
    """Lowest rate."""


@dataclass
class TrainerConfig:
    epochs: int = key(at_least=1)
    """Times that the training reviews are read."""
    batch_size: Optional[int] = key(at_least=1)
    """Reviews a step, over all processes together."""
    max_tokens: Optional[int] = key(at_least=1)
    """Words a step with padding, over all processes together."""
    bucket: bool = key()
    """Batches of reviews of like length."""
    clip_norm: float = key(at_least=0)
    """Largest L2 norm of the gradient of one step; 0 turns clipping off."""
    label_smoothing: float = key(at_least=0, below=1)
    """Share of the target spread evenly over all classes."""
    early_stopping: Optional[int] = key(at_least=1)
    """Epochs without a better validation accuracy before training stops."""
    device: str = key(pattern=r"auto|cpu|cuda(:\d+)?", expected="auto, cpu, cuda or cuda:1")
    """Where tensors live."""
    precision: str = key(choices=("auto", "fp32", "bf16"))
    """Of the model's arithmetic; weights, losses and optimizer stay in fp32."""
    processes: str = key(pattern=r"auto|[1-9]\d*", expected="auto or a number from 1")
    """Data-parallel processes."""
    threads: int = key(at_least=1)
    """CPU threads of each process."""


@dataclass
class MlflowConfig:
    _target_: str = "sentexp.tracking.mlflow_tracker.MlflowTracker"
    uri: Optional[str] = key()
    """MLflow's tracking URI; null is sqlite:///mlflow.db in the current folder."""
    experiment: str = key()
    """Name of the MLflow experiment that holds the run."""
    run_name: Optional[str] = key()
    """Name of the run."""
    log_model: bool = key()
    """Record the trained model with the run."""


@dataclass
class NoTrackingConfig:
    _target_: str = "sentexp.tracking.none.NoTracking"


METRICS = (
    "best/valid_accuracy", "best/valid_loss", "best/epoch", "test/loss", "test/accuracy", "test/f1", "test/roc_auc",
)  # fmt: skip
"""What a run comes to, and a sweep can be told to look at."""


@dataclass
class SweepConfig:
    sampler: str = key(choices=("grid", "tpe", "random", "cmaes", "gp", "nsgaii", "qmc"))
    """Which points are tried: every combination, or those that a guided search chooses."""
    n_trials: int = key(at_least=1)
    """Points that a guided search tries."""
    metric: Any = key()
    """Name of the metric that counts, or a list of several."""
    direction: Any = key()
    """maximize or minimize, or a list with one for each metric."""
    pruner: str = key(choices=("none", "median", "successive_halving", "hyperband"))
    """What stops a hopeless run."""
    warmup_epochs: int = key(at_least=1)
    """Epochs that every run may train before it can be stopped."""
    startup_trials: int = key(at_least=1)
    """Points tried before the sampler guesses and the median pruner stops."""
    reduction_factor: int = key(at_least=2)
    """Of successive_halving and hyperband: one run in so many goes on."""
    seeds: int = key(at_least=1)
    """Runs of each point, with seed, seed+1, ..."""
    max_failures: Optional[int] = key(at_least=1)
    """Failed runs after which the sweep stops."""
    n_jobs: Optional[int] = key(at_least=1)
    """Runs of a guided search that are under way at a time."""
    storage: Optional[str] = key(
        pattern=rf"(?!.*{PASSWORD}).*",
        expected="a database URL without its password (which SENTEXP_STORAGE_PASSWORD holds), a journal file",
    )
    """Journal file or database URL of a search that several drivers share. A sweep is recorded, so it is no place for
    a password."""
    study_name: Optional[str] = key()
    """Of the study in the storage."""
    resume: Optional[str] = key()
    """Folder of the sweep to go on with, or latest."""
    space: Any = key()
    """Hydra's sweep text for each key that varies."""


@dataclass
class Config:
    """The root. A field of type `Any` is a group whose schema is found in OPTIONS by its `_target_`."""

    seed: int = key(at_least=0)
    """Of initial weights, order of batches and dropout."""
    shapes: bool = key()
    """Print the way of one batch through the model and stop."""
    cache_dir: str = key()
    """Folder of tokenized text and of word vectors."""
    text: TextConfig = key()
    """From raw text to words."""
    data: Any = key()
    """Where the reviews come from."""
    tokenizer: Any = key()
    """From text to words."""
    vocab: VocabConfig = key()
    """From words to numbers."""
    embedding: Any = key()
    """From numbers to vectors."""
    model: Any = key()
    """From vectors to logits."""
    optimizer: Any = key()
    """From gradients to steps."""
    schedule: Any = key()
    """The learning rate over time."""
    trainer: TrainerConfig = key()
    """How the model is trained."""
    tracking: Any = key()
    """Where the run is recorded."""
    sweep: SweepConfig = key()
    """How `-m` makes many runs out of one configuration."""


OPTIONS: dict[str, tuple[type, ...]] = {
    "data": (DemoConfig, HubConfig, FilesConfig),
    "tokenizer": (SpacyTokenizerConfig, BasicTokenizerConfig, WhitespaceTokenizerConfig, CallableTokenizerConfig),
    "embedding": (RandomConfig, OneHotConfig, GloveConfig, Word2vecConfig, FasttextConfig),
    "model": (RecurrentConfig, BagOfWordsConfig),
    "optimizer": (SGDConfig, AdamConfig, AdamWConfig, RMSpropConfig, AdagradConfig),
    "schedule": (ConstantConfig, OneCycleConfig, CosineConfig, PlateauConfig),
    "tracking": (MlflowConfig, NoTrackingConfig),
}
