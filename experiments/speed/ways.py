"""The four ways to train and to use one classifier: the tutorial's loop, nn.LSTM packed and padded, and this project.

All four learn the same sizes from the same reviews; they differ in how batches are made and how the LSTM is called.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.nn.utils.rnn import pack_padded_sequence

from sentexp.batches import Batch, Batches, plan
from sentexp.config import compose
from sentexp.evaluation import predict
from sentexp.instantiate import build, build_machine, build_recipe, factory
from sentexp.machine.cores import available_cores
from sentexp.schema import Config
from sentexp.text.corpus import Corpus
from sentexp.text.encoded_reviews import VOCABULARY
from sentexp.text.vocabulary import Vocabulary
from sentexp.training import Machine, choose_machine, fit
from sentexp.training.classification import ClassificationTask
from sentexp.training.loop import build_optimizer
from sentexp.training.work import Corpora

# Shapes: B reviews in a batch, T tokens in the longest of them, E embedding dim, H hidden size, D directions (1 or 2)

E, H = 100, 128
BATCH = 64


@dataclass(frozen=True)
class Timing:
    """The reviews that were timed, and the seconds they took."""

    reviews: int
    tokens: int
    seconds: float
    longest: int
    """Tokens of the longest review."""


@dataclass(frozen=True)
class Task:
    """One measurement that study.py requests."""

    way: str
    directions: int
    seed: int
    train: Path
    test: Path
    overrides: list[str]
    batches: dict[str, int]
    """Number of batches of 64 reviews to time, in `inference` and in `training`."""
    batch_size: int | None = None
    """trainer.batch_size of this project; None leaves its default."""


class Tutorial:
    """The tutorial: random batches, padded by Python lists; the last time step is classified even if it is padding.

    The tutorial's code with its own names; `device` is added, and a second direction if `directions` is 2.
    """

    def __init__(self, task: Task, machine: Machine) -> None:
        self.task, self.device = task, machine.device
        self.vocabulary = vocabulary_of(task)
        self.model = SentimentLSTM(len(self.vocabulary), H, E, task.directions).to(self.device)
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = optim.SGD(self.model.parameters(), lr=1e-3)

    def infer(self) -> Timing:
        corpus = Corpus.open(self.task.test, self.vocabulary.pad_index)
        return self._timed(corpus, self.task.batches["inference"], self._evaluate)

    def train(self) -> Timing:
        corpus = Corpus.open(self.task.train, self.vocabulary.pad_index)
        return self._timed(corpus, self.task.batches["training"], self._fit)

    def _timed(self, corpus: Corpus, batches: int, run: Callable[[Iterator[tuple[Tensor, Tensor]]], object]) -> Timing:
        rows = rows_like_all(corpus.lengths, batches * BATCH, self.task.seed)
        rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.task.seed))]
        examples = [corpus.ids[corpus.offsets[row] : corpus.offsets[row + 1]].tolist() for row in rows]
        labels = corpus.labels[rows].tolist()
        run(self._iterate(examples[:BATCH], labels[:BATCH]))  # one-time work is not counted
        seconds = stopwatch(self.device, lambda: run(self._iterate(examples, labels)))
        return timing(corpus, rows, seconds)

    def _iterate(self, examples: list[list[int]], labels: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
        pad = self.vocabulary.pad_index
        for start in range(0, len(examples), BATCH):
            minibatch = examples[start : start + BATCH]
            longest = max(len(ids) for ids in minibatch)
            padded = [ids + [pad] * (longest - len(ids)) for ids in minibatch]
            yield (
                torch.tensor(padded, device=self.device),
                torch.tensor(labels[start : start + BATCH], dtype=torch.float, device=self.device),
            )

    def _fit(self, iterator: Iterator[tuple[Tensor, Tensor]]) -> tuple[float, float]:
        train_loss, train_acc = 0.0, 0.0
        self.model.train()
        for text, label in iterator:
            preds = self.model(text).squeeze(1)
            loss = self.criterion(preds, label)
            train_loss += loss.item()
            train_acc += accuracy(preds, label).item()
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        return train_loss, train_acc

    def _evaluate(self, iterator: Iterator[tuple[Tensor, Tensor]]) -> tuple[float, float]:
        valid_loss, valid_acc = 0.0, 0.0
        self.model.eval()
        with torch.no_grad():
            for text, label in iterator:
                preds = self.model(text).squeeze(1)
                loss = self.criterion(preds, label)
                valid_loss += loss.item()
                valid_acc += accuracy(preds, label).item()
        return valid_loss, valid_acc


class SentimentLSTM(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, embedding_dim: int, directions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_embeddings=input_size, embedding_dim=embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, 1, batch_first=True, bidirectional=directions == 2)
        self.linear = nn.Linear(in_features=hidden_size * directions, out_features=1)

    def forward(self, x: Tensor) -> Tensor:
        embed = self.embedding(x)  # [B, T, E]
        output, (hidden, _) = self.lstm(embed)  # [B, T, D*H], [D, B, H]
        output = output.permute(1, 0, 2)  # [T, B, D*H]
        if not self.lstm.bidirectional:
            assert torch.equal(output[-1, :, :], hidden.squeeze(0))
        return self.linear(output[-1, :, :])  # [B, 1]


def accuracy(preds: Tensor, y: Tensor) -> Tensor:
    rounded_preds = torch.round(torch.sigmoid(preds))
    correct = (rounded_preds == y).float()
    return correct.sum() / len(correct)


class TorchLSTM:
    """nn.LSTM over this project's own length-bucketed batches, with its optimizer, packed or padded.

    Thus only the LSTM differs. The timed batches have evenly spaced widths.
    """

    def __init__(self, task: Task, machine: Machine) -> None:
        self.task, self.device = task, machine.device
        self.vocabulary = vocabulary_of(task)
        packed = task.way == "packed"
        self.model = LastState(len(self.vocabulary), task.directions, packed).to(self.device)
        self.optimizer = build_optimizer(factory(config_of(task).optimizer), self.model, self.device)

    def infer(self) -> Timing:
        self.model.eval()
        with torch.no_grad():
            corpus = Corpus.open(self.task.test, self.vocabulary.pad_index)
            return self._timed(corpus, self.task.batches["inference"], self._evaluate)

    def train(self) -> Timing:
        self.model.train()
        corpus = Corpus.open(self.task.train, self.vocabulary.pad_index)
        return self._timed(corpus, self.task.batches["training"], self._fit)

    def _timed(self, corpus: Corpus, batches: int, run: Callable[[Iterator[Batch]], object]) -> Timing:
        planned = plan(corpus, batch_size=BATCH, seed=self.task.seed, epoch=1)
        planned.sort(key=lambda rows: int(corpus.lengths[rows].max()))
        chosen = [planned[int((number + 0.5) * len(planned) / batches)] for number in range(batches)]
        source = Batches(corpus, device=self.device)
        run(source.of([planned[len(planned) // 10]]))  # one-time work is not counted
        seconds = stopwatch(self.device, lambda: run(source.of(chosen)))
        return timing(corpus, torch.cat(chosen), seconds)

    def _fit(self, batches: Iterator[Batch]) -> None:
        for batch in batches:
            self.optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(self.model(batch.ids, batch.lengths), batch.labels.float())
            loss.backward()
            self.optimizer.step()

    def _evaluate(self, batches: Iterator[Batch]) -> None:
        for batch in batches:
            torch.sigmoid(self.model(batch.ids, batch.lengths)).cpu()


class LastState(nn.Module):
    def __init__(self, words: int, directions: int, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(words, E)
        self.lstm = nn.LSTM(E, H, batch_first=True, bidirectional=directions == 2)
        self.head = nn.Linear(directions * H, 1)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        vectors = self.embedding(ids)  # [B, T, E]
        if self.packed:
            sequence = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
            last = torch.cat(self.lstm(sequence)[1][0].unbind(), dim=1)  # [B, D*H]
        else:
            # unlike with packing, the backward direction runs over the padding first; the speed is the same
            outputs, _ = self.lstm(vectors)  # [B, T, D*H]
            last = outputs[torch.arange(len(ids), device=ids.device), lengths - 1]  # [B, D*H]
        return self.head(last).squeeze(1)  # [B]


class Project:
    """This project with its defaults: its settings, the machine it chooses for the whole training, `fit`, `predict`.

    The timed reviews are a part of the corpus with the same distribution of lengths; the second of two epochs is timed.
    """

    def __init__(self, task: Task, machine: Machine) -> None:
        self.task, self.machine = task, machine
        self.config = config_of(task)
        self.vocabulary = vocabulary_of(task)
        self.model = project_model(self.config, self.vocabulary)

    def infer(self) -> Timing:
        corpus = Corpus.open(self.task.test, self.vocabulary.pad_index)
        rows = rows_like_all(corpus.lengths, self.task.batches["inference"] * BATCH, self.task.seed)
        some = select(corpus, rows)
        self.model.to(self.machine.device)
        self._predict(select(some, torch.arange(min(BATCH, len(some)))))
        return timing(corpus, rows, stopwatch(self.machine.device, lambda: self._predict(some)))

    def _predict(self, corpus: Corpus) -> None:
        predict(self.model, corpus, machine=self.machine)

    def train(self) -> Timing:
        corpus = Corpus.open(self.task.train, self.vocabulary.pad_index)
        rows = rows_like_all(corpus.lengths, self.task.batches["training"] * BATCH, self.task.seed)
        some = select(corpus, rows)
        recipe = build_recipe(self.config, self.machine)
        trainer = dataclasses.replace(recipe.trainer, epochs=2)
        recipe = dataclasses.replace(recipe, trainer=trainer, seed=self.task.seed)
        fitted = fit(self.model, some, select(some, torch.arange(min(BATCH, len(some)))), recipe)
        return timing(corpus, rows, len(rows) / fitted.history[-1]["reviews_per_second"])


KERNELS = {
    "LSTM, forward": ("mkldnn_rnn_layer", "_cudnn_rnn", "_thnn_fused_lstm_cell"),
    "LSTM, backward": ("mkldnn_rnn_layer_backward", "_cudnn_rnn_backward", "_thnn_fused_lstm_cell_backward"),
    "word vectors": ("embedding", "embedding_dense_backward", "index_select"),
    "optimizer": ("_fused_adam_", "_foreach_norm", "_foreach_mul_", "linalg_vector_norm"),
}
"""Names of torch's operators by purpose; all others are `other operators`."""


def seconds_by_kind(task: Task) -> dict[str, float]:
    """Measure the seconds per kind of operator in a one-process training; the rest is Python and waiting."""
    way = Project(task, dataclasses.replace(machine_of(task), processes=1))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        whole = stopwatch(way.machine.device, way.train)
    kind_of = {f"aten::{name}": kind for kind, names in KERNELS.items() for name in names}
    found = dict.fromkeys([*KERNELS, "other operators"], 0.0)
    for operator in profile.key_averages():
        found[kind_of.get(operator.key, "other operators")] += operator.self_cpu_time_total / 1e6
    return found | {"Python and waiting": max(0.0, whole - sum(found.values()))}


WAYS: dict[str, type[Tutorial] | type[TorchLSTM] | type[Project]] = {
    "tutorial": Tutorial,
    "packed": TorchLSTM,
    "padded": TorchLSTM,
    "project": Project,
    "project64": Project,
}


def machine_of(task: Task) -> Machine:
    """Return the project's own choice for its ways; for the others fp32 and one process with a thread per core."""
    config = config_of(task)
    if task.way.startswith("project"):
        vocabulary = vocabulary_of(task)
        corpora = Corpora(Corpus.open(task.train, vocabulary.pad_index))
        workload = ClassificationTask().workload(project_model(config, vocabulary), corpora, config.trainer)
        return build_machine(config.trainer, workload)
    device = choose_machine(device=config.trainer.device).device
    return Machine(device, torch.float32, 1, available_cores()[0], {})


def config_of(task: Task) -> Config:
    overrides = [f"model.bidirectional={str(task.directions == 2).lower()}"]
    if task.batch_size is not None:
        overrides.append(f"trainer.batch_size={task.batch_size}")
    return compose(*task.overrides, *overrides)


def project_model(config: Config, vocabulary: Vocabulary) -> nn.Module:
    embedding = build(config.embedding, vocabulary=vocabulary, cache_dir=Path("."), seed=0, progress=None)
    return build(config.model, embedding=embedding, num_classes=2, unk_index=vocabulary.unk_index)


def vocabulary_of(task: Task) -> Vocabulary:
    return Vocabulary.load(task.train.parent / VOCABULARY)


def rows_like_all(lengths: Tensor, count: int, seed: int) -> Tensor:
    """Return the sorted rows of `count` reviews, or of all if there are fewer, with lengths evenly spaced among all."""
    if count >= len(lengths):
        return torch.arange(len(lengths))
    offset = (0.5 + 0.618 * seed) % 1  # different for each seed
    ranks = ((torch.arange(count) + offset) * len(lengths) / count).long()
    return lengths.argsort(stable=True)[ranks].sort().values


def select(corpus: Corpus, rows: Tensor) -> Corpus:
    """Return a corpus in memory with only these rows."""
    lengths = corpus.lengths[rows]
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    shift = corpus.offsets[rows] - offsets[:-1]
    places = torch.arange(int(offsets[-1])) + shift.repeat_interleave(lengths)
    return Corpus(corpus.ids[places], offsets, corpus.labels[rows], corpus.pad_index, corpus.width)


def timing(corpus: Corpus, rows: Tensor, seconds: float) -> Timing:
    lengths = corpus.lengths[rows]
    return Timing(len(rows), int(lengths.sum()), seconds, int(lengths.max()))


def stopwatch(device: torch.device, work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes, including all that it queued on the device."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def lstm_flops(tokens: int, directions: int, passes: Sequence[str]) -> float:
    """Return the FLOPs of the LSTM's matrix products on `tokens` tokens; `passes` are forward and backward.

    Each token is multiplied with weight_ih [4H, E] and weight_hh [4H, H], two FLOPs per weight. Backward does so twice,
    for the gradient of the inputs and for that of the weights.
    """
    forward = 2.0 * 4 * H * (E + H) * directions * tokens
    return forward * sum({"forward": 1, "backward": 2}[name] for name in passes)
