"""The typed schema: every key of the configuration with its type, unit, range and meaning.

The YAML files under conf/ give each key its value; nothing here does. An option of a group is known by its `_target_`,
the callable that it configures. A `_target_` of the user's own has no schema: its keys are checked against its
signature.

Bounds of a single value stand with its field. What cannot work together although each value alone is fine is told by
the `problems` of the class that holds the keys, each problem as one line that names a key, its value and the way out.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Optional

from omegaconf import MISSING

from sentexp.embedding import catalogue, dimension
from sentexp.errors import did_you_mean, nearest_path, one_line
from sentexp.imports import import_object
from sentexp.redact import PASSWORD_PATTERN, shown
from sentexp.text import LONGEST_REVIEW


def key(
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    pattern: str | None = None,
    expected: str | None = None,
    resolve: bool | None = None,
    path: bool | None = None,
    own: bool | None = None,
) -> Any:
    """Declare one key: its value comes from YAML, its bounds from here.

    `expected` says in words what a `pattern`, a regular expression, accepts. With `resolve=False`, references inside a
    mapping, such as ${seed}, stay as they are. `path` marks a file or folder of this machine; see PATHS.
    `own` marks a key of an option that the program itself reads: the option's `_target_` is not given it.
    """
    rules: dict[str, Any] = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    rules |= {"choices": choices, "pattern": pattern, "expected": expected, "resolve": resolve}
    rules |= {"path": path, "own": own}
    return field(default=MISSING, metadata={rule: value for rule, value in rules.items() if value not in (None, ())})


@dataclass
class CleanConfig:
    html: bool = key()
    """Turn tags into a space, entities into the character they stand for."""
    lowercase: bool = key()
    """Turn upper case into lower case, after tokenizing."""
    punctuation: bool = key()
    """Drop words made of punctuation alone."""
    numbers: bool = key()
    """Drop numbers."""
    stop_words: bool = key()
    """Drop spaCy's stop words of the tokenizer's language."""
    lemmas: bool = key()
    """Replace each word by its lemma from spaCy's look-up table."""


@dataclass
class TextConfig:
    clean: CleanConfig = key()
    """Switches for cleaning."""
    init_token: Optional[str] = key()
    """Token put before each review."""
    eos_token: Optional[str] = key()
    """Token put after each review."""
    max_length: Optional[int] = key(at_least=2, at_most=LONGEST_REVIEW)
    """Longest review in tokens, init_token and eos_token included."""
    truncate: str = key(choices=("head", "tail", "head_tail"))
    """Part that a review longer than max_length keeps."""
    head_fraction: float = key(above=0, below=1)
    """With truncate=head_tail, share of max_length that is taken from the head."""
    fix_length: Optional[int] = key(at_least=2, at_most=LONGEST_REVIEW)
    """Tokens that every review is cut or padded to."""

    def problems(self) -> Iterator[str]:
        if self.fix_length is not None and self.max_length is not None:
            expected = "expected text.max_length=null beside it"
            yield f"text.fix_length={self.fix_length}: already cuts every review; {expected}"
        around = [token for token in (self.init_token, self.eos_token) if token is not None]
        for name, longest in (("fix_length", self.fix_length), ("max_length", self.max_length)):
            if longest is not None and longest <= len(around):
                yield f"text.{name}={longest}: init_token and eos_token leave no room for a word"


@dataclass
class DemoConfig:
    _target_: str = "sentexp.data.demo.load"
    size: int = key(at_least=20)
    """Reviews in all, but for the unlabelled ones."""
    unlabelled: int = key(at_least=0)
    """Further reviews, without labels."""
    test_fraction: float = key(above=0, below=1)
    """Share of the reviews kept for the test."""
    valid_fraction: float = key(at_least=0, below=1)
    """Share of the remaining reviews kept for validation; 0 trains on all."""
    labels: Optional[int] = key(at_least=2)
    """Training reviews that keep their labels; the others become unlabelled text."""
    limit: Optional[int] = key(at_least=2)
    """Largest number of reviews per split."""
    seed: int = key(at_least=0)
    """Seed of the generator and of the splits."""


@dataclass
class ColumnsAndLabels:
    """The keys of a source of tables: which columns it takes, and what it makes of the labels."""

    text_column: Any = key()
    """Column that holds the review, or a list of columns that are joined; `review.text` is a field inside one."""
    label_column: str = key()
    """Column that holds the label."""
    label_map: Any = key()
    """Another label for each label of the data; null drops its reviews."""
    label_cuts: Optional[list[float]] = key()
    """Numbers at which scores are cut into classes, in ascending order."""
    ignore_label_case: bool = key()
    """Make labels one that differ only in upper and lower case."""
    drop_duplicates: bool = key()
    """Keep only one review of each text, rather in the test than in training."""

    def problems(self) -> Iterator[str]:
        columns = self.text_column if isinstance(self.text_column, list) else [self.text_column]
        if not columns or not all(isinstance(column, (str, int)) for column in columns):
            yield f"data.text_column={self.text_column}: expected a column, or a list of columns such as [title,text]"
        if self.label_column in columns:
            yield f"data.text_column={self.text_column}: expected another column than data.label_column"
        labels = self.label_map
        if labels is not None:
            new = list(labels.values()) if isinstance(labels, Mapping) else []
            if all(label is None for label in new) or any(isinstance(label, (list, dict)) for label in new):
                yield f"data.label_map={labels}: expected labels with their new names, such as {{1: neg, 5: pos}}"
            if self.label_cuts is not None:
                yield f"data.label_cuts={self.label_cuts}: expected without data.label_map"
        cuts = self.label_cuts
        if cuts is not None and (not cuts or any(low >= high for low, high in pairwise(cuts))):
            yield f"data.label_cuts={cuts}: expected one or more numbers in ascending order"


@dataclass
class HubConfig(ColumnsAndLabels):
    _target_: str = "sentexp.data.hub.load"
    name: Optional[str] = key()
    """OWNER/NAME on the Hugging Face Hub."""
    config: Optional[str] = key()
    """The dataset's own configuration."""
    revision: Optional[str] = key()
    """Commit or tag of the dataset."""
    path: Optional[str] = key(path=True)
    """Local folder in the Hub's layout, used in place of the Hub."""
    train_split: str = key()
    """Split to train on."""
    valid_split: Optional[str] = key()
    """Split to validate on; auto is the dataset's own if it has one. Without one, part of the training split."""
    test_split: str = key()
    """Split to test on."""
    unlabelled_split: Optional[str] = key()
    """Split whose texts are taken without their labels, if it has any."""
    valid_fraction: float = key(at_least=0, below=1)
    """Share of the training split kept for validation where valid_split is null; 0 trains on all."""
    block: int = key(at_least=1)
    """Neighbouring rows that go into the same split where one is held out."""
    labels: Optional[int] = key(at_least=2)
    """Training reviews that keep their labels; the others become unlabelled text."""
    limit: Optional[int] = key(at_least=2)
    """Largest number of reviews per split."""
    seed: int = key(at_least=0)
    """Seed of the splits."""

    def problems(self) -> Iterator[str]:
        if self.name is None and self.path is None:
            yield "data.name=null: expected OWNER/NAME of a dataset on the Hub, or data.path=FOLDER"
        for name in ("train_split", "valid_split"):
            if self.unlabelled_split is not None and self.unlabelled_split == getattr(self, name):
                yield f"data.unlabelled_split={self.unlabelled_split}: expected another split than data.{name}"
        yield from _absent(path=self.path)
        yield from super().problems()


@dataclass
class FilesConfig(ColumnsAndLabels):
    _target_: str = "sentexp.data.files.load"
    path: Optional[str] = key(path=True)
    """One file or folder that is split by the fractions, or a folder of train/ and test/."""
    train: Optional[str] = key(path=True)
    """File or folder to train on."""
    valid: Optional[str] = key(path=True)
    """File or folder to validate on."""
    test: Optional[str] = key(path=True)
    """File or folder to test on."""
    unlabelled: Optional[str] = key(path=True)
    """File or folder of texts without labels: of the formats below, with one text per line (*.txt), or a folder of
    files *.txt."""
    format: str = key(choices=("auto", "csv", "tsv", "json", "jsonl", "parquet", "excel", "folder"))
    """Format of the files; auto goes by the ending of their names."""
    header: bool = key()
    """The first row of csv, tsv and Excel names the columns; without it they are numbers from 1."""
    delimiter: str = key(
        pattern=r"auto|comma|semicolon|tab|bar|[^\w\s\"]", expected="auto, comma, semicolon, tab, bar or one character"
    )
    """What separates the fields of csv and tsv; auto finds out."""
    quoting: str = key(choices=("auto", "standard", "none"))
    """With standard, double quotation marks in csv and tsv enclose fields; with none they are plain characters."""
    encoding: str = key()
    """Encoding of text files, by Python's name for it."""
    test_fraction: float = key(above=0, below=1)
    """Share kept for the test where there is no test file."""
    valid_fraction: float = key(at_least=0, below=1)
    """Share of the rest kept for validation where there is no validation file; 0 trains on all."""
    block: int = key(at_least=1)
    """Neighbouring rows that go into the same split where one is held out."""
    labels: Optional[int] = key(at_least=2)
    """Training reviews that keep their labels; the others become unlabelled text."""
    limit: Optional[int] = key(at_least=2)
    """Largest number of reviews per split."""
    seed: int = key(at_least=0)
    """Seed of the splits."""

    def problems(self) -> Iterator[str]:
        if self.path is None and self.train is None:
            yield "data.path=null: expected a file or folder, or data.train"
        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        if self.path is not None and any(split is not None for split in splits.values()):
            yield f"data.path={self.path}: expected alone, without data.train, data.valid and data.test"
        for name in ("path", "train", "valid"):
            if self.unlabelled is not None and self.unlabelled == getattr(self, name):
                yield f"data.unlabelled={self.unlabelled}: expected another file or folder than data.{name}"
        yield from _absent(path=self.path, unlabelled=self.unlabelled, **splits)
        yield from super().problems()


def _absent(**paths: Optional[str]) -> Iterator[str]:
    for name, path in paths.items():
        if path is not None and not os.path.exists(os.path.expanduser(path)):
            yield f"data.{name}={path}: no such file or folder{nearest_path(path)}"


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
    """Words that occur less often are left out."""
    unlabelled: bool = key()
    """Count the words of unlabelled reviews as well, not those of training reviews only."""
    specials: list[str] = key()
    """First entries of the vocabulary; <unk> and <pad> must be among them."""

    def problems(self) -> Iterator[str]:
        for special in ("<unk>", "<pad>"):
            if special not in self.specials:
                yield f"vocab.specials={self.specials}: expected {special} among them"
        if len(set(self.specials)) < len(self.specials):
            yield f"vocab.specials={self.specials}: one of them stands there twice"


@dataclass
class RandomConfig:
    _target_: str = "sentexp.embedding.table.random"
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    std: float = key(above=0)
    """Standard deviation of the normal distribution that the vectors are drawn from."""
    freeze: bool = key()
    """Leave the vectors as they were drawn."""


@dataclass
class OneHotConfig:
    _target_: str = "sentexp.embedding.table.one_hot"


@dataclass
class PpmiSvdConfig:
    _target_: str = "sentexp.embedding.cooccurrence.ppmi_svd"
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    window: int = key(at_least=1)
    """Tokens to each side that count as neighbours."""
    std: float = key(above=0)
    """Standard deviation of the numbers in the vectors."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _thaw_problems(self)


@dataclass
class GloveConfig:
    _target_: str = "sentexp.embedding.pretrained.glove"
    name: str = key(choices=tuple(catalogue.GLOVE))
    """Which of the published archives."""
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    path: Optional[str] = key(path=True)
    """File that is used in place of the download."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _vector_problems(self)


@dataclass
class Word2vecConfig:
    _target_: str = "sentexp.embedding.pretrained.word2vec"
    path: str = key(path=True)
    """File in word2vec's text or binary format."""
    dim: Optional[int] = key(at_least=1)
    """Numbers per word, E; null takes what the file holds."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _vector_problems(self)


@dataclass
class FasttextConfig:
    _target_: str = "sentexp.embedding.pretrained.fasttext"
    name: str = key(choices=tuple(catalogue.FASTTEXT))
    """Which of the published files."""
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    path: Optional[str] = key(path=True)
    """File that is used in place of the download."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _vector_problems(self)


def _thaw_problems(embedding: PpmiSvdConfig | GloveConfig | Word2vecConfig | FasttextConfig) -> Iterator[str]:
    if embedding.thaw_after is not None and not embedding.freeze:
        expected = "nothing to thaw; expected embedding.freeze=true beside it"
        yield f"embedding.thaw_after={embedding.thaw_after}: {expected}"


def _vector_problems(embedding: GloveConfig | Word2vecConfig | FasttextConfig) -> Iterator[str]:
    yield from _thaw_problems(embedding)
    path, dim = embedding.path, embedding.dim
    if path is not None:
        if not os.path.isfile(os.path.expanduser(path)):
            yield f"embedding.path={path}: no such file{nearest_path(path)}"
            return
        dimension.check(path, dim)
    elif not isinstance(embedding, Word2vecConfig):
        family = catalogue.GLOVE if isinstance(embedding, GloveConfig) else catalogue.FASTTEXT
        try:
            catalogue.find(family, embedding.name, embedding.dim)
        except ValueError as error:
            yield f"embedding.{error}"


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
    """Run over each review backwards as well."""
    dropout: float = key(at_least=0, below=1)
    """Dropout between stacked layers, as in torch.nn.LSTM."""
    pooling: str = key(choices=("last", "max", "mean", "concat", "attention"))
    """How the outputs of all time steps become one vector; concat is last, max and mean side by side."""
    word_dropout: float = key(at_least=0, below=1)
    """Share of tokens replaced by <unk> while training."""
    embedding_dropout: float = key(at_least=0, below=1)
    """Dropout on the word vectors."""
    output_dropout: float = key(at_least=0, below=1)
    """Dropout on the pooled vector."""
    ignore_padding: bool = key()
    """False treats the padding as if it were text."""
    thaw_after: Optional[int] = key(at_least=0)
    """With init, epochs after which the top recurrent layer is trained as well, then one more layer per epoch."""
    init: Optional[str] = key(path=True, own=True)
    """Run whose word vectors and recurrent layers are the first weights, and whose vocabulary is used."""

    def problems(self) -> Iterator[str]:
        if self.dropout > 0 and self.num_layers == 1:
            yield (
                f"model.dropout={self.dropout}: acts between stacked layers and model.num_layers=1 has none; "
                "expected model.num_layers=2 or more, or model.output_dropout instead"
            )
        if self.thaw_after is not None and self.init is None:
            yield f"model.thaw_after={self.thaw_after}: freezes random weights; expected model.init=RUN beside it"


@dataclass
class BagOfWordsConfig:
    _target_: str = "sentexp.model.bag_of_words.BagOfWordsClassifier"
    pooling: str = key(choices=("mean", "max", "sum"))
    """How the word vectors become one vector."""
    word_dropout: float = key(at_least=0, below=1)
    """Share of tokens replaced by <unk> while training."""
    embedding_dropout: float = key(at_least=0, below=1)
    """Dropout on the word vectors."""
    output_dropout: float = key(at_least=0, below=1)
    """Dropout on the pooled vector."""


@dataclass
class NbNgramsConfig:
    _target_: str = "sentexp.model.nb_ngrams.NbNgramsClassifier"
    max_ngram: int = key(at_least=1)
    """Tokens of the longest n-gram."""
    min_count: int = key(at_least=1)
    """Training reviews that an n-gram must be in to count."""
    alpha: float = key(above=0)
    """Added to the count of each n-gram in each class."""
    C: float = key(above=0)
    """Inverse strength of regularization, as scikit-learn's LogisticRegression has it."""
    seed: int = key(at_least=0)
    """Seed of the order in which the solver visits the reviews."""


@dataclass
class SGDConfig:
    _target_: str = "torch.optim.SGD"
    lr: float = key(above=0)
    """Learning rate; the peak of the schedule."""
    momentum: float = key(at_least=0, below=1)
    """Share of the last step's direction that is kept."""
    nesterov: bool = key()
    """Nesterov's momentum."""
    weight_decay: float = key(at_least=0)
    """L2 penalty."""

    def problems(self) -> Iterator[str]:
        if self.nesterov and self.momentum == 0:
            yield "optimizer.nesterov=true: expected optimizer.momentum above 0"


@dataclass
class AdamConfig:
    _target_: str = "torch.optim.Adam"
    lr: float = key(above=0)
    """Learning rate; the peak of the schedule."""
    betas: list[float] = key(at_least=0, below=1)
    """Decay of the averages of the gradient and of its square."""
    eps: float = key(above=0)
    """Keeps the division finite."""
    weight_decay: float = key(at_least=0)
    """L2 penalty; decoupled from the gradient in AdamW."""

    def problems(self) -> Iterator[str]:
        if len(self.betas) != 2:
            yield f"optimizer.betas={self.betas}: expected two numbers, such as [0.9,0.999]"


@dataclass
class AdamWConfig(AdamConfig):
    _target_: str = "torch.optim.AdamW"


@dataclass
class RMSpropConfig:
    _target_: str = "torch.optim.RMSprop"
    lr: float = key(above=0)
    """Learning rate; the peak of the schedule."""
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
    """Learning rate; the peak of the schedule."""
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
    """Factor that the rate is multiplied by."""
    patience: int = key(at_least=0)
    """Epochs without progress before that."""
    min_lr: float = key(at_least=0)
    """Lowest rate."""


@dataclass
class ClassifyConfig:
    _target_: str = "sentexp.training.classification.ClassificationTask"


@dataclass
class LanguageModelConfig:
    _target_: str = "sentexp.training.language_modelling.LanguageModelTask"
    streams: int = key(at_least=1)
    """Streams of text that a step reads side by side, over all processes."""
    segment: int = key(at_least=1)
    """Tokens of each stream per step: how far back gradients reach."""
    cutoffs: list[int] = key(at_least=1)
    """First token id of each cluster of rarer words in the adaptive softmax; without any it is a plain softmax."""

    def problems(self) -> Iterator[str]:
        if any(low >= high for low, high in pairwise(self.cutoffs)):
            yield f"task.cutoffs={self.cutoffs}: expected numbers in ascending order"


@dataclass
class SupervisedConfig:
    _target_: str = "sentexp.training.objective.supervised"


@dataclass
class AdversarialConfig:
    _target_: str = "sentexp.training.objective.adversarial"
    weight: float = key(above=0)
    """Weight of the loss at moved word vectors, beside 1 of the plain loss."""
    epsilon: float = key(above=0)
    """How far the vectors of a review are moved: L2 norm over its tokens, by the root mean square of their numbers."""
    ramp_up: int = key(at_least=0)
    """Steps over which the weights of what stands beside the plain loss grow from 0."""


@dataclass
class VirtualAdversarialConfig(AdversarialConfig):
    _target_: str = "sentexp.training.objective.virtual_adversarial"
    xi: float = key(above=0)
    """The same for the trial step that finds the direction, with three classes or more."""
    unlabelled_batch_size: Optional[int] = key(at_least=1)
    """Unlabelled reviews per step, over all processes; null reads none."""


@dataclass
class MixedConfig:
    _target_: str = "sentexp.training.objective.Objective"
    adversarial: float = key(at_least=0)
    """Weight of the loss at moved word vectors, beside 1 of the plain loss."""
    virtual_adversarial: float = key(at_least=0)
    """Weight of the change of the answers at moved word vectors."""
    entropy: float = key(at_least=0)
    """Weight of the entropy of the answers."""
    epsilon: float = key(above=0)
    """How far the vectors of a review are moved: L2 norm over its tokens, by the root mean square of their numbers."""
    xi: float = key(above=0)
    """The same for the trial step that finds the direction, with three classes or more."""
    unlabelled_batch_size: Optional[int] = key(at_least=1)
    """Unlabelled reviews per step, over all processes; null reads none."""
    ramp_up: int = key(at_least=0)
    """Steps over which the weights of what stands beside the plain loss grow from 0."""

    def problems(self) -> Iterator[str]:
        if not self.adversarial and not self.virtual_adversarial and not self.entropy:
            yield "objective.entropy=0.0: no term has a weight; expected objective=supervised"


@dataclass
class TrainerConfig:
    epochs: int = key(at_least=1)
    """Passes over the training reviews, or as many times epoch_steps."""
    epoch_steps: Optional[int] = key(at_least=1)
    """Steps after which an epoch ends and the model is judged; without it an epoch is one pass."""
    batch_size: Optional[int] = key(at_least=1)
    """Reviews per step, over all processes together."""
    max_tokens: Optional[int] = key(at_least=1)
    """Tokens per step with padding, over all processes together."""
    bucket: bool = key()
    """Put reviews of similar length into one batch."""
    layer_decay: float = key(above=0, at_most=1)
    """Learning rate of a layer by that of the layer above it."""
    clip_norm: float = key(at_least=0)
    """Largest L2 norm of the gradient of one step; 0 turns clipping off."""
    label_smoothing: float = key(at_least=0, below=1)
    """Share of the target spread evenly over all classes."""
    class_weight: str = key(choices=("none", "balanced"))
    """With balanced, reviews of rarer labels weigh more in the training loss, so that all labels weigh the same."""
    log_every: int = key(at_least=0)
    """Steps between two points of train/step_loss; 0 records none."""
    sampling: str = key(choices=("uniform", "balanced"))
    """With balanced, each label has the same share of an epoch's reviews."""
    ema: Optional[float] = key(above=0, below=1)
    """Decay of a moving average of the weights, which then is judged and kept in place of the weights."""
    keep: str = key(choices=("best", "last"))
    """Epoch whose weights are kept: the best on validation, or the last one."""
    early_stopping: Optional[int] = key(at_least=1)
    """Epochs without a better validation accuracy before training stops."""
    on_oom: str = key(choices=("fail", "halve"))
    """With halve, a batch that memory does not suffice for is computed in parts, one after the other."""
    checkpoint_minutes: Optional[float] = key(at_least=0)
    """Minutes between two checkpoints; 0 writes one after each step, without it none is written by time."""
    checkpoint_every: Optional[int] = key(at_least=1)
    """Epochs between two checkpoints; with it the last ones stay when the run has ended."""
    resume: Optional[str] = key(path=True)
    """Output folder of a run that was stopped, to go on with; on the command line also its id or name, or latest."""
    trust: bool = key()
    """Let that run name code outside of this package, such as a model class of one's own."""
    device: str = key(pattern=r"auto|cpu|cuda(:\d+)?", expected="auto, cpu, cuda or cuda:1")
    """Where tensors live."""
    precision: str = key(choices=("auto", "fp32", "bf16"))
    """Precision of the model's arithmetic; weights, losses and optimizer stay in fp32."""
    processes: str = key(pattern=r"auto|[1-9]\d*", expected="auto or a number from 1")
    """Data-parallel processes."""
    threads: int = key(at_least=1)
    """CPU threads of each process."""

    def problems(self) -> Iterator[str]:
        if self.batch_size is None and self.max_tokens is None:
            yield "trainer.batch_size=null: expected a number of reviews, or trainer.max_tokens"
        if self.keep == "last" and self.early_stopping is not None:
            yield f"trainer.keep=last: expected trainer.early_stopping=null beside it, not {self.early_stopping}"
        if self.class_weight == self.sampling == "balanced":
            yield "trainer.sampling=balanced: balances already; expected trainer.class_weight=none beside it"


@dataclass
class EvaluationConfig:
    metrics: Any = key()
    """Further metrics by their name, each the dotted path of a function (labels [N], probabilities [N, C]) -> float."""
    baseline: bool = key()
    """Compare the test accuracy with those of the most frequent label and of a quick linear model."""
    texts: bool = key()
    """Write the texts of the test reviews into predictions.csv."""
    positive: Optional[str] = key()
    """The label whose F1, precision and recall are reported where there are two; without it the last one."""

    def problems(self) -> Iterator[str]:
        if not isinstance(self.metrics, Mapping):
            yield f"evaluation.metrics={self.metrics}: expected names, each with a dotted path"
            return
        for name, path in self.metrics.items():
            shown = f"evaluation.metrics.{name}={path}"
            if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):  # what MLflow takes as a name
                yield f"{shown}: expected a name made of letters, digits, _, - and ."
            if f"test/{name}" in METRICS:
                yield f"{shown}: {name} is always computed; expected another name"
            try:
                found = import_object(str(path))
            except Exception as error:  # importing runs the user's code
                yield f"{shown}: cannot be imported ({one_line(error)}); expected package.module.function"
            else:
                if not callable(found):
                    yield f"{shown}: is {type(found).__name__}, expected a function"
                elif not _takes_two(found):
                    yield f"{shown}: cannot be called with two arguments, labels [N] and probabilities [N, C]"


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind("labels", "probabilities")
    except TypeError:
        return False
    except ValueError:  # some built-in functions do not tell their signature
        return True
    return True


@dataclass
class MlflowConfig:
    _target_: str = "sentexp.tracking.mlflow_tracker.MlflowTracker"
    uri: Optional[str] = key()
    """MLflow's tracking URI; null is sqlite:///mlflow.db in the current folder."""
    experiment: str = key()
    """Name of the MLflow experiment that holds the run."""
    run_name: Optional[str] = key()
    """Name of the run."""
    register: Optional[str] = key(pattern=r"[^@/:]+(@[A-Za-z][\w.-]*)?", expected="NAME or NAME@ALIAS")
    """Registered model that the trained model becomes a version of."""
    system_metrics: bool = key()
    """Record CPU, memory and GPU over time."""
    log_model: bool = key()
    """Record the trained model with the run."""

    def problems(self) -> Iterator[str]:
        if self.register is not None and not self.log_model:
            yield f"tracking.register={self.register}: expected tracking.log_model=true beside it"


@dataclass
class NoTrackingConfig:
    _target_: str = "sentexp.tracking.none.NoTracking"


METRICS = (
    "best/valid_accuracy", "best/valid_loss", "best/epoch", "test/loss", "test/accuracy", "test/f1", "test/roc_auc",
    "test/precision", "test/recall", "test/f1_macro", "test/precision_macro", "test/recall_macro", "test/f1_weighted",
    "test/precision_weighted", "test/recall_weighted",
)  # fmt: skip
"""Results of every run, by which a sweep can be told to compare its jobs."""

OF_LANGUAGE_MODELS = ("best/valid_perplexity", "best/valid_loss", "best/epoch")
"""The results of a run with task=language_model."""

THRESHOLD_METRICS = ("accuracy", "f1", "f1_macro", "balanced_accuracy", "mcc")
"""Metrics for which a threshold between two labels can be chosen."""

DIRECTIONS = ("maximize", "minimize")


@dataclass
class SweepConfig:
    sampler: str = key(choices=("grid", "tpe", "random", "cmaes", "gp", "nsgaii", "qmc"))
    """How points are chosen: grid takes every combination, any other is a search."""
    n_trials: int = key(at_least=1)
    """Points that a search tries."""
    metric: Any = key()
    """Name of the metric that jobs are compared by, or a list of several."""
    direction: Any = key()
    """maximize or minimize, or a list with one for each metric."""
    pruner: str = key(choices=("none", "median", "successive_halving", "hyperband"))
    """Rule by which jobs that fall behind are stopped."""
    warmup_epochs: int = key(at_least=1)
    """Epochs that every job may train before it can be pruned."""
    startup_trials: int = key(at_least=1)
    """Points tried at random before the sampler learns from results and the median pruner stops jobs."""
    reduction_factor: int = key(at_least=2)
    """With successive_halving and hyperband, one job in so many goes on."""
    seeds: int = key(at_least=1, at_most=10_000)
    """Jobs per point, with seed, seed+1, ..."""
    max_failures: Optional[int] = key(at_least=1)
    """Failed jobs after which the sweep stops."""
    n_jobs: Optional[int] = key(at_least=1)
    """Jobs of a search that run at the same time."""
    storage: Optional[str] = key(
        pattern=rf"(?!.*{PASSWORD_PATTERN}).+",
        expected="a database URL without its password (which SENTEXP_STORAGE_PASSWORD holds), a journal file",
    )
    """Journal file or database URL of a search that several drivers share. A sweep is recorded, so it is no place for
    a password."""
    study_name: Optional[str] = key()
    """Name of the study in the storage."""
    resume: Optional[str] = key()
    """Folder of an interrupted sweep to continue, or latest."""
    trust: bool = key()
    """With resume: run code outside of this package that the folder names, such as a model of your own."""
    dry_run: bool = key()
    """List the jobs, and run none."""
    space: Any = key(resolve=False)  # a reference in it is each job's own
    """Hydra's sweep syntax for each key that varies; tag(OPTION,...) leaves it out where other options are chosen."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """`metric` as a tuple, also where it is one name."""
        return (self.metric,) if isinstance(self.metric, str) else tuple(self.metric)

    @property
    def directions(self) -> tuple[str, ...]:
        """`direction` as a tuple, in the order of `metrics`."""
        return (self.direction,) if isinstance(self.direction, str) else tuple(self.direction)

    @property
    def is_search(self) -> bool:
        """True if the sampler chooses the points."""
        return self.sampler != "grid"

    def problems(self) -> Iterator[str]:
        for name, value in (("metric", self.metric), ("direction", self.direction)):
            listed = value if isinstance(value, list) else [value]
            if not listed or not all(isinstance(one, str) and one for one in listed):
                yield f"sweep.{name}={shown(value)}: expected a text, or a list of texts such as [a,b]"
        if not isinstance(self.space, Mapping) or not all(isinstance(text, str) for text in self.space.values()):
            yield f"sweep.space={shown(self.space)}: expected keys, each with a text such as choice(1,2)"
        for direction in self.directions:
            if direction not in DIRECTIONS:
                expected = f"not one of {', '.join(DIRECTIONS)}{did_you_mean(direction, DIRECTIONS)}"
                yield f"sweep.direction={direction}: {expected}"
        several = len(self.metrics) > 1
        if len(self.metrics) != len(self.directions):
            expected = f"expected {len(self.metrics)}, one for each sweep.metric"
            yield f"sweep.direction=[{','.join(self.directions)}]: {expected}"
        if len(set(self.metrics)) < len(self.metrics):
            yield f"sweep.metric=[{','.join(self.metrics)}]: one of them stands there twice"
        if several and self.pruner != "none":
            yield f"sweep.pruner={self.pruner}: expected none beside several metrics, or one sweep.metric"
        if several and self.sampler == "cmaes":
            yield "sweep.sampler=cmaes: knows one metric; expected nsgaii, tpe or gp beside several"
        if self.storage is not None and not self.is_search:
            expected = "expected a search, such as sweep.sampler=tpe"
            yield f"sweep.storage={self.storage}: a grid is one driver's; {expected}"
        if self.dry_run and self.resume is not None:
            yield f"sweep.dry_run=true: lists the jobs of a new sweep; expected without sweep.resume={self.resume}"
        if self.storage is not None and self.study_name is None:
            yield f"sweep.storage={self.storage}: expected sweep.study_name=... as well, the same everywhere"


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
