"""A trained model as a folder: what is needed to read new reviews as the training ones were read, and to judge them.

- config.yaml: the composed configuration
- vocab.txt: the vocabulary, one word a line
- labels.txt: the labels, one a line, in the order of the model's classes
- weights.pt: the model's state_dict; read without unpickling anything but tensors
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from sentexp import evaluation
from sentexp.embedding.table import Embedding, OneHot
from sentexp.errors import SentexpError
from sentexp.instantiate import build_model, build_pipeline
from sentexp.machine.choose import Machine, available_cores
from sentexp.redact import without_passwords
from sentexp.text.pipeline import TextPipeline
from sentexp.text.vocabulary import Vocabulary

# Shapes: N reviews, C classes

CONFIG, VOCABULARY, LABELS, WEIGHTS = "config.yaml", "vocab.txt", "labels.txt", "weights.pt"

ESCAPES = {"n": "\n", "r": "\r"}
"""What stands behind a backslash in labels.txt."""

REVIEWS_PER_WORKER = 32
"""Below this, a further thread costs more than it brings."""


@dataclass(frozen=True)
class TrainedModel:
    pipeline: TextPipeline
    model: nn.Module
    labels: list[str]
    """Name of each class."""
    config: dict[str, Any]
    """The composed configuration, as plain values."""

    def save(self, folder: Path | str) -> None:
        """Writes the four files, over those of an earlier model. Each appears whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = yaml.safe_dump(without_passwords(self.config), sort_keys=False, allow_unicode=True)
        weights = {name: value.detach().cpu() for name, value in self.model.state_dict().items()}
        _write(folder / CONFIG, lambda path: path.write_text(config, encoding="utf-8"))
        _write(folder / VOCABULARY, self.pipeline.vocabulary.save)
        _write(folder / LABELS, lambda path: path.write_text(_lines(self.labels), encoding="utf-8"))
        _write(folder / WEIGHTS, lambda path: torch.save(weights, path))

    @staticmethod
    def load(folder: Path | str, device: str = "cpu") -> TrainedModel:
        """The model that `save` wrote, on `device`, ready to predict.

        Raises SentexpError that names the file if one is missing, damaged or does not fit the others.
        """
        folder = Path(folder)
        missing = [name for name in (CONFIG, VOCABULARY, LABELS, WEIGHTS) if not (folder / name).is_file()]
        if missing:
            raise SentexpError(f"{folder}: not a trained model; expected {', '.join(missing)} in it")
        config = _read_config(folder / CONFIG)
        labels = read_labels(folder / LABELS)
        vocabulary = Vocabulary.load(folder / VOCABULARY)
        weights = _read_weights(folder / WEIGHTS)
        pipeline = build_pipeline(config, vocabulary)
        table = weights.get("embedding.weight")
        embedding = Embedding(torch.empty_like(table)) if table is not None else OneHot(len(vocabulary))
        if embedding.num_embeddings != len(vocabulary):
            raise SentexpError(
                f"{folder / VOCABULARY}: holds {len(vocabulary):,} words; "
                f"expected {embedding.num_embeddings:,}, as {WEIGHTS} does (are they of one model?)"
            )
        model = build_model(config, embedding, len(labels), vocabulary.unk_index)
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise SentexpError(f"{folder / WEIGHTS}: does not fit {CONFIG} and {LABELS}: {reason}") from error
        return TrainedModel(pipeline, model.to(device).eval(), labels, config)

    def predict(self, texts: Sequence[str]) -> Tensor:
        """Probabilities of the classes, float32 [N, C] on the CPU, in 32-bit arithmetic and on all cores."""
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts, not one text")
        if not len(texts):
            return torch.empty(0, len(self.labels))
        device = next(self.model.parameters()).device
        cores, _ = available_cores()
        return evaluation.predict(
            self.model,
            self.pipeline.encode(list(texts)),
            machine=Machine(device, torch.float32, processes=1, threads=1, reasons={}),
            pad_index=self.pipeline.vocabulary.pad_index,
            width=self.config["text"]["fix_length"],
            num_classes=len(self.labels),
            workers=max(1, min(cores, len(texts) // REVIEWS_PER_WORKER)),
        ).probabilities


def read_labels(path: Path) -> list[str]:
    """The labels of labels.txt. Raises SentexpError if it is not one."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise SentexpError(f"{path}: damaged: {error}; expected text in UTF-8") from error
    labels = [re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), line) for line in lines]
    if len(labels) < 2:
        raise SentexpError(f"{path}: holds {len(labels)} label; expected two or more, one a line")
    return labels


def _lines(labels: Sequence[str]) -> str:
    escaped = (label.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") for label in labels)
    return "".join(f"{line}\n" for line in escaped)


def _write(path: Path, write: Callable[[Path], object]) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SentexpError(f"{path}: damaged: {' '.join(str(error).split())}; expected YAML") from error
    groups = ("text", "tokenizer", "vocab", "model")
    there = config if isinstance(config, Mapping) else {}
    absent = [group for group in groups if not isinstance(there.get(group), Mapping)]
    if absent:
        raise SentexpError(f"{path}: not a configuration of a run; expected {', '.join(absent)} in it")
    return dict(there)


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0]
        raise SentexpError(f"{path}: damaged ({reason}); expected a state_dict as torch.save writes it") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise SentexpError(f"{path}: holds no state_dict; expected names and tensors")
    return weights
