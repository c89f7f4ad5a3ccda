"""The keys of optimizer, schedule, task, objective and trainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Optional

from sentexp.schema.keys import key


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
