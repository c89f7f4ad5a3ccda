"""Several trained models that answer together, as a folder; and the loading of whatever a folder holds.

The probabilities of an ensemble are the weighted mean of its members', each of which reads a text with its own
pipeline; so members may differ in tokens, words and kind.

- config.yaml: the sections data and evaluation by which the members are judged; under `ensemble` what the weights were
  asked to be, and per member its weight, its name and the id of its run
- labels.txt: as that of one model
- members/1, members/2, ...: the members, each a folder of TrainedModel
- model.json: version of the format, and the SHA-256 of the other files

To predict, evaluate and serve, `Predictor` is enough: one model or an ensemble. What needs the one network and the one
pipeline of a model asks `single` for it.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from sentexp.books import Books
from sentexp.errors import SentexpError
from sentexp.model_folder import (
    CONFIG,
    FACTS,
    LABELS,
    MEMBERS,
    check_files,
    read_config,
    read_labels,
    write_facts,
    write_texts,
)
from sentexp.trained_model import WEIGHTS, PredictedChunk, TrainedModel

# Shapes: N texts, C classes, M members

SECTION = "ensemble"
"""Section of the configuration by which an ensemble is told from one model."""


@dataclass(frozen=True)
class Member:
    """One of the models of an ensemble."""

    model: TrainedModel
    weight: float
    """Its share in the mean, from 0 to 1."""
    name: str
    """What messages and tables call it."""
    run_id: str | None = None
    """Its run in MLflow; None for a folder."""

    def __str__(self) -> str:
        return self.name if self.run_id is None else f"{self.run_id[:8]} ({self.name})"


@dataclass(frozen=True)
class Ensemble:
    """Trained models with the same labels, whose probabilities are averaged."""

    members: list[Member]
    """Two or more; their weights sum to 1."""
    weighting: str
    """What the weights were asked to be: equal, valid (found on the validation reviews) or numbers."""
    sections: dict[str, Any]
    """The sections data and evaluation of a configuration, as plain values."""

    @property
    def labels(self) -> list[str]:
        """Name of each class."""
        return self.members[0].model.labels

    @property
    def weights(self) -> list[float]:
        """The weights of the members [M]."""
        return [member.weight for member in self.members]

    @property
    def formula(self) -> str:
        """The members as a weighted sum, for people."""
        return " + ".join(f"{one.weight:.4f} {one}" for one in self.members)

    @property
    def trusted(self) -> bool:
        """False if a member came from a folder that may be anyone's."""
        return all(member.model.trusted for member in self.members)

    @property
    def books(self) -> Books | None:
        """Which texts the members have seen together; None where that is not known of any."""
        known = [member.model.books for member in self.members if member.model.books is not None]
        return Books().joined(known) if known else None

    @property
    def language(self) -> str:
        """Code of the language whose words the first member's tokenizer knows."""
        return self.members[0].model.language

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as plain values."""
        members = {
            str(place): {"weight": one.weight, "name": one.name, "run": one.run_id}
            for place, one in enumerate(self.members, 1)
        }
        return {**self.sections, SECTION: {"weights": self.weighting, "members": members}}

    def facts(self) -> list[tuple[str, str]]:
        """Return what the ensemble is made of, for people."""
        return [("ensemble", self.formula)]

    def predict(self, texts: Sequence[str | None]) -> Tensor:
        """Return the probability of each class, float32 [N, C]; see `TrainedModel.predict`."""
        return mixture([member.model.predict(texts) for member in self.members], self.weights)

    def predict_chunks(self, chunks: Iterable[Sequence[str]], processes: int = 0) -> Iterator[PredictedChunk]:
        """Predict one chunk of texts after the other; see `TrainedModel.predict_chunks`.

        The members share the `processes`. The share of known words is that of the member that knows most of a text.
        """
        each = -(-processes // len(self.members))
        copies = tee(chunks, len(self.members))
        streams = [one.model.predict_chunks(copy, each) for one, copy in zip(self.members, copies, strict=True)]
        for parts in zip(*streams, strict=True):
            yield PredictedChunk(
                mixture([part.probabilities for part in parts], self.weights),
                most_known([part.known_words for part in parts]),
            )

    def save(self, folder: Path | str) -> None:
        """Write the files over those of an earlier ensemble, the checksums last."""
        folder = Path(folder)
        (folder / FACTS).unlink(missing_ok=True)
        if (folder / MEMBERS).is_dir():
            shutil.rmtree(folder / MEMBERS)
        write_texts(folder, self.config, self.labels)
        facts = []
        for place, member in enumerate(self.members, 1):
            member.model.save(_place(folder, place))
            facts.append(f"{MEMBERS}/{place}/{FACTS}")
        write_facts(folder, [CONFIG, LABELS, *facts])

    @staticmethod
    def load(folder: Path | str, device: str = "cpu", *, trust: bool = False) -> Ensemble:
        """Load the ensemble that `save` wrote to `folder`, on `device`, ready to predict.

        Raises SentexpError as `TrainedModel.load` does, of which see `trust`.
        """
        folder = Path(folder)
        check_files(folder, [CONFIG, LABELS])
        config, labels = read_config(folder, [SECTION]), read_labels(folder / LABELS)
        members = []
        for number, (weight, name, run_id) in enumerate(_described(folder, config[SECTION]), 1):
            place = _place(folder, number)
            model = TrainedModel.load(place, device, trust=trust)
            if model.labels != labels:
                raise SentexpError(f"{place / LABELS}: other labels than {folder / LABELS} has; expected the same")
            members.append(Member(model, weight, name, run_id))
        sections = {name: value for name, value in config.items() if name != SECTION}
        return Ensemble(members, str(config[SECTION].get("weights")), sections)


Predictor: TypeAlias = TrainedModel | Ensemble
"""What predicts texts and is judged by reviews."""


def load_predictor(folder: Path | str, device: str = "cpu", *, trust: bool = False) -> Predictor:
    """Load the model or the ensemble in `folder`; raises SentexpError as `TrainedModel.load` does."""
    folder = Path(folder)
    kind = Ensemble if _is_ensemble(folder) else TrainedModel
    return kind.load(folder, device, trust=trust)


def is_predictor(folder: Path) -> bool:
    """Return True if `folder` looks like one that `load_predictor` takes."""
    return (folder / WEIGHTS).is_file() or _is_ensemble(folder)


def single(predictor: Predictor, what: str) -> TrainedModel:
    """Return the one model that `what` needs. Raises SentexpError, which names a member, for an ensemble."""
    if isinstance(predictor, Ensemble):
        first = max(predictor.members, key=lambda member: member.weight)
        count = len(predictor.members)
        raise SentexpError(f"{what}: an ensemble of {count} models; expected one model, such as its member {first}")
    return predictor


def mixture(probabilities: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted mean of the members' probabilities, each [N, C], as float32 [N, C]."""
    stacked = torch.stack([one.double() for one in probabilities])  # [M, N, C]
    return torch.einsum("m,mnc->nc", torch.tensor(weights, dtype=torch.float64), stacked).float()


def most_known(known_words: Sequence[Tensor]) -> Tensor:
    """Return per text the greatest share of known words [N] among the members': 0 only where no member knows any."""
    return torch.stack(list(known_words)).amax(0)


def _is_ensemble(folder: Path) -> bool:
    return (folder / MEMBERS).is_dir() and (folder / CONFIG).is_file()


def _place(folder: Path, number: int) -> Path:
    return folder / MEMBERS / str(number)


def _described(folder: Path, section: Mapping[str, Any]) -> list[tuple[float, str, str | None]]:
    """Return weight, name and run of each member. Raises SentexpError if they are none of an ensemble."""
    path, members = folder / CONFIG, section.get("members")
    if not isinstance(members, Mapping) or len(members) < 2:
        raise SentexpError(f"{path}: {SECTION}.members: expected two members or more")
    found = []
    for number in range(1, len(members) + 1):
        key, one = f"{path}: {SECTION}.members.{number}", members.get(str(number))
        if not isinstance(one, Mapping):
            raise SentexpError(f"{key}: expected weight, name and run of a member")
        weight, name, run_id = (one.get(part) for part in ("weight", "name", "run"))
        if not isinstance(weight, float) or not 0 <= weight <= 1:
            raise SentexpError(f"{key}.weight={weight}: expected a number from 0 to 1")
        if not isinstance(name, str) or not isinstance(run_id, str | None):
            raise SentexpError(f"{key}: expected its name, and the id of its run or null")
        found.append((weight, name, run_id))
    total = sum(weight for weight, _, _ in found)
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise SentexpError(f"{path}: {SECTION}.members: their weights sum to {total:.6f}; expected 1")
    return found
