"""What a model starts with in place of random numbers: the vocabulary and the weights of another run, by model.init."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sentexp.books import CLASSIFIER, Books
from sentexp.checksums import digest_of
from sentexp.config import plain
from sentexp.errors import SentexpError
from sentexp.redact import flatten
from sentexp.runs import FoundRun, find_run
from sentexp.schema import Config
from sentexp.text.vocabulary import Vocabulary
from sentexp.trained_model import CONFIG, WEIGHTS, read_folder

PARTS = ("embedding.", "rnn.")
"""What the names of the weights begin with that a model takes along."""

TEXT = ("tokenizer", "text.clean", "vocab")
"""Sections that say which tokens there are."""

SHAPE = ("cell", "hidden_size", "num_layers", "bidirectional")
"""Keys of model on which the shapes of the weights depend."""


@dataclass(frozen=True)
class Start:
    """The vocabulary and the weights that another run has found."""

    run: FoundRun
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    """The weights of the word vectors and of the recurrent layers, by their names in the model."""
    digest: str
    """SHA-256 of the file of its weights."""
    books: Books
    """Which texts it has seen."""

    def facts(self) -> dict[str, str]:
        """Return which run it is, to be recorded."""
        recorded = self.run.recorded
        return {
            "run": self.run.name,
            **({} if recorded is None else {"run_id": recorded.run_id}),
            "weights": self.digest,
            "vocabulary": self.vocabulary.digest,
        }

    def give(self, model: nn.Module) -> None:
        """Replace the first weights of a classifier's word vectors and recurrent layers.

        Raises SentexpError for weights of other shapes than those of the run that recorded them.
        """
        own = {name: value for name, value in model.state_dict().items() if name.startswith(PARTS)}
        shapes = {name: list(value.shape) for name, value in self.weights.items()}
        if shapes != {name: list(value.shape) for name, value in own.items()}:
            raise SentexpError(f"model.init={self.run.name}: {self.run.folder / WEIGHTS} does not fit its {CONFIG}")
        with torch.no_grad():
            for name, weights in self.weights.items():
                own[name].copy_(weights)


def start_of(config: Config) -> Start | None:
    """Return what model.init names; None without it. The run may be a language model or a classifier.

    Raises SentexpError, one line that names the key and the way out, if there is no such run, if it has no recurrent
    layers, and if its tokens or shapes are others than those of `config`.
    """
    init = getattr(config.model, "init", None)
    if init is None:
        return None
    store = getattr(config.tracking, "uri", None)
    try:
        run = find_run(init, tracking_uri=store, language_models=True)
        contents = read_folder(Path(run.folder))
    except SentexpError as error:
        raise SentexpError(f"model.init={init}: {error}") from error
    weights = {name: value for name, value in contents.weights.items() if name.startswith(PARTS)}
    if "embedding.weight" not in weights or not any(name.startswith("rnn.") for name in weights):
        raise SentexpError(f"model.init={init}: has no recurrent layers over word vectors; expected a run that has")
    _check(config, contents.config, init)
    _check_sizes(config, weights, contents.vocabulary, init)
    books = contents.books or Books().seen_by(CLASSIFIER, f"run {run.name}")  # an early version kept none
    return Start(run, contents.vocabulary, weights, digest_of(run.folder / WEIGHTS), books)


def _check(config: Config, recorded: Mapping[str, Any], init: str) -> None:
    """Raise SentexpError for a key that must have the value that the other run has recorded, and has another."""
    now, then = flatten(plain(config)), flatten(recorded)
    keys = [key for key in now if key.startswith(tuple(f"{section}." for section in TEXT))]
    keys += [f"model.{name}" for name in SHAPE]
    for key in keys:
        if key in then and now.get(key) != then[key]:
            raise SentexpError(f"{key}={now.get(key)}: model.init={init} has {then[key]}; expected {key}={then[key]}")


def _check_sizes(config: Config, weights: Mapping[str, Tensor], vocabulary: Vocabulary, init: str) -> None:
    """Raise SentexpError for word vectors of another size, and for tokens that the vocabulary lacks."""
    dim, (words, found) = config.embedding.dim, weights["embedding.weight"].shape
    if dim != found:
        raise SentexpError(f"embedding.dim={dim}: model.init={init} has {found}; expected embedding.dim={found}")
    if words != len(vocabulary):
        raise SentexpError(f"model.init={init}: has {words:,} vectors for {len(vocabulary):,} words; is it damaged?")
    for key in ("init_token", "eos_token"):
        token = getattr(config.text, key)
        if token is not None and token not in vocabulary.stoi:
            raise SentexpError(f"text.{key}={token}: the vocabulary of model.init={init} lacks it; expected null")
