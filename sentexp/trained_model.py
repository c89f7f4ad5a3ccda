"""A trained model as a folder: what is needed to tokenize new reviews as the training ones were, and to predict them.

- config.yaml: the composed configuration
- vocab.txt: the vocabulary, one token per line
- labels.txt: the labels, one per line, in the order of the model's classes
- weights.pt: the model's state_dict; loaded without unpickling anything but tensors
- seen.json, seen.hashes: which texts it has seen, see `sentexp.books`; models of earlier versions have none
- model.json: version of this format, and the SHA-256 of the other files

A folder may come from anyone: what it says is checked, and code outside of this package that it names is run only if
the caller trusts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sentexp import evaluation
from sentexp.atomic import whole_file
from sentexp.books import FILES, Books
from sentexp.config import of_its_types
from sentexp.embedding.table import Embedding, OneHot
from sentexp.errors import SentexpError, one_line
from sentexp.foreign import BUILT, refuse_foreign
from sentexp.instantiate import build, build_pipeline
from sentexp.machine.choose import Machine
from sentexp.machine.cores import available_cores
from sentexp.model.contract import count_parameters, is_solved
from sentexp.model_folder import CONFIG, LABELS, check_files, read_config, read_labels, write_facts, write_texts
from sentexp.schema import LanguageModelConfig, schema_of
from sentexp.tensors import read_tensors, write_tensors
from sentexp.text.corpus import Corpus
from sentexp.text.pipeline import TextPipeline
from sentexp.text.tokenizers import language
from sentexp.text.vocabulary import Vocabulary

# Shapes: N reviews, C classes, V tokens in the vocabulary, E embedding.dim

VOCABULARY, WEIGHTS = "vocab.txt", "weights.pt"

REVIEWS_PER_WORKER = 32
"""Reviews below which a further thread costs more than it brings."""


class PredictedChunk(NamedTuple):
    probabilities: Tensor
    """float32 [N, C]."""
    known_words: Tensor
    """Share of each text's words that the model's vocabulary has, float32 [N]; 0 for a text without a word."""


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with all that it needs to predict new reviews."""

    pipeline: TextPipeline
    model: nn.Module
    labels: list[str]
    """Name of each class."""
    config: dict[str, Any]
    """The composed configuration as plain values."""
    trusted: bool = True
    """False if the configuration came from a folder that may be anyone's: it names no code that may be run."""
    books: Books | None = None
    """Which texts it has seen; None where that was not recorded."""

    def save(self, folder: Path | str) -> None:
        """Write the files over those of an earlier model. Each appears whole or not at all, the checksums last."""
        folder = Path(folder)
        weights = {name: value.detach().cpu() for name, value in self.model.state_dict().items()}
        self.save_texts(folder)
        with whole_file(folder / WEIGHTS) as unfinished:
            write_tensors(weights, unfinished)
        written = [CONFIG, VOCABULARY, LABELS, WEIGHTS]
        for name in FILES:  # those of an earlier model
            (folder / name).unlink(missing_ok=True)
        if self.books is not None:
            self.books.save(folder)
            written += FILES
        write_facts(folder, written)

    def save_texts(self, folder: Path) -> None:
        """Write what surrounds the weights: the configuration, the vocabulary and the labels."""
        write_texts(folder, self.config, self.labels)
        self.pipeline.vocabulary.save(folder / VOCABULARY)

    @staticmethod
    def load(folder: Path | str, device: str = "cpu", *, trust: bool = False) -> TrainedModel:
        """Load the model that a run or `save` wrote to `folder`, on `device`, ready to predict.

        With `trust` the folder may name code outside of this package, such as a model class of your own, which is then
        imported and run.

        >>> from sentexp import compose, run
        >>> result = run(compose("data.size=200", "trainer.epochs=1", "tracking=none"))
        >>> trained = TrainedModel.load(result.model_folder)
        >>> trained.labels
        ['negative', 'positive']
        >>> trained.predict(["a good film", "a bad film"]).shape  # [N, C]
        torch.Size([2, 2])

        Raises SentexpError that names the file if one is missing, altered, damaged or does not fit the others, for the
        format of a newer version, and without `trust` for code outside of this package.
        """
        folder = Path(folder)
        config, labels, vocabulary, weights, books = read_folder(folder)
        if is_language_model(config):
            raise SentexpError(f"{folder}: a language model, which knows no labels; model.init starts a classifier")
        try:
            if not trust:
                refuse_foreign(config)
            config = of_its_types(config, (*BUILT, "seed", "cache_dir"))
        except SentexpError as error:
            raise SentexpError(f"{folder / CONFIG}: {error}") from error
        try:
            pipeline = build_pipeline(config, vocabulary)
        except (ValueError, TypeError, AttributeError) as error:
            raise SentexpError(f"{folder / CONFIG}: does not fit {VOCABULARY}: {error}") from error
        embedding = _empty_embedding(folder, config, weights, vocabulary)
        if getattr(embedding, "num_embeddings", len(vocabulary)) != len(vocabulary):
            raise SentexpError(
                f"{folder / VOCABULARY}: holds {len(vocabulary):,} words; "
                f"expected {embedding.num_embeddings:,}, as {WEIGHTS} does (are they of one model?)"
            )
        runtime = {"embedding": embedding, "num_classes": len(labels), "unk_index": vocabulary.unk_index}
        try:
            _check_sizes(folder, config["model"], runtime, weights)
            model = build(config["model"], **runtime)
        except (ValueError, TypeError, RuntimeError) as error:
            raise SentexpError(f"{folder / CONFIG}: no such model can be built ({one_line(error)})") from error
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise SentexpError(f"{folder / WEIGHTS}: does not fit {CONFIG} and {LABELS}: {reason}") from error
        return TrainedModel(pipeline, model.to(device).eval(), labels, config, trust, books)

    def predict(self, texts: Sequence[str | None]) -> Tensor:
        """Return the probability of each class, float32 [N, C] on the CPU; computed in float32 and on all cores.

        None, NaN and the like are an empty text. Raises SentexpError that names the row for what is no text.
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts, not one text")
        if not len(texts):
            return torch.empty(0, len(self.labels))
        return self._probabilities(self.pipeline.encode(as_texts(texts, range(len(texts)))))

    def predict_chunks(self, chunks: Iterable[Sequence[str]], processes: int = 0) -> Iterator[PredictedChunk]:
        """Predict one chunk of texts after the other, while `processes` of their own tokenize the next ones.

        So the texts may be more than fit into memory, and all cores have work. Raises SentexpError if one of these
        processes dies.
        """
        for corpus in self.pipeline.encode_chunks(chunks, processes):
            yield PredictedChunk(self._probabilities(corpus), self.known_words(corpus))

    @property
    def language(self) -> str:
        """Code of the language whose words the tokenizer knows."""
        return language(self.pipeline.tokenizer)

    def facts(self) -> list[tuple[str, str]]:
        """Return the kind of the model and its sizes, for people."""
        return [
            ("model", str(self.config["model"].get("_target_")).rpartition(".")[2]),
            ("parameters", f"{count_parameters(self.model):,}"),
            ("words", f"{len(self.pipeline.vocabulary):,}"),
        ]

    def _probabilities(self, corpus: Corpus) -> Tensor:
        device = evaluation.device_of(self.model)
        cores, _ = available_cores()
        return evaluation.predict(
            self.model,
            corpus,
            machine=Machine(device, torch.float32, processes=1, threads=1, reasons={}),
            workers=max(1, min(cores, len(corpus) // REVIEWS_PER_WORKER)),
        ).probabilities

    def known_words(self, corpus: Corpus) -> Tensor:
        """Return the share of each review's words that the vocabulary has, float32 [N]; 0 without a word."""
        vocabulary = self.pipeline.vocabulary
        specials = torch.tensor([vocabulary.stoi[token] for token in self.pipeline.specials], dtype=corpus.ids.dtype)
        special, unknown = torch.isin(corpus.ids, specials), corpus.ids == vocabulary.unk_index  # [N_tokens]
        review = torch.repeat_interleave(torch.arange(len(corpus)), corpus.lengths)  # [N_tokens]
        words = torch.zeros(len(corpus)).index_add_(0, review, (~special | unknown).float())
        known = torch.zeros(len(corpus)).index_add_(0, review, (~special).float())
        return known / words.clamp(min=1)


class Contents(NamedTuple):
    """What is in the folder of a trained model; nothing of it is built or run."""

    config: dict[str, Any]
    """The composed configuration as plain values; whether they are of the right types is not checked."""
    labels: list[str]
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    """The model's state_dict."""
    books: Books | None
    """Which texts it has seen; None for a model of an early version."""


def read_folder(folder: Path) -> Contents:
    """Read what a run or `TrainedModel.save` wrote to `folder`.

    Raises SentexpError that names the file if one is missing, altered or damaged, and for the format of a newer
    version.
    """
    check_files(folder, [CONFIG, VOCABULARY, LABELS, WEIGHTS])
    return Contents(
        read_config(folder, ["text", "tokenizer", "vocab", "model"]),
        read_labels(folder / LABELS),
        Vocabulary.load(folder / VOCABULARY),
        _read_weights(folder / WEIGHTS),
        Books.load(folder),
    )


def as_texts(values: Iterable[Any], rows: Iterable[Any]) -> list[str]:
    """Return each value as a text, a missing one (None, NaN, pandas.NA) as an empty text.

    as_texts(["good", None], rows=[7, 3])  # ["good", ""]

    Raises SentexpError with the value and the name of its row for the first that is no text.
    """
    return [value if isinstance(value, str) else _as_text(value, row) for value, row in zip(values, rows, strict=True)]


def _as_text(value: Any, row: Any) -> str:
    import pandas as pd  # only here: few lists hold anything but texts

    if value is None or pd.isna(value) is True:
        return ""
    shown = one_line(SentexpError(repr(value)))  # without passwords, and not too long
    raise SentexpError(f"row {row}: {shown} is not a text; expected texts, with null for an empty one")


def _empty_embedding(
    folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor], vocabulary: Vocabulary
) -> nn.Module:
    """Return an embedding of the shape that the weights have, whose own weights do not matter.

    Word vectors are not read again for it; only an embedding of the user's own is built as before the training.
    """
    node = config.get("embedding")
    if isinstance(node, Mapping) and schema_of("embedding", node.get("_target_")) is None:
        cache_dir = Path(config.get("cache_dir", "~/.cache/sentexp")).expanduser()
        seed = config.get("seed", 0)
        return build(node, vocabulary=vocabulary, cache_dir=cache_dir, seed=seed, progress=None)
    table = weights.get("embedding.weight")  # [V, E]
    if table is None:
        return OneHot(len(vocabulary))
    if table.dim() != 2 or not table.is_floating_point():
        what = f"embedding.weight is {table.dtype} {list(table.shape)}"
        raise SentexpError(f"{folder / WEIGHTS}: {what}; expected [V, E] of floating point")
    return Embedding(torch.empty_like(table))


def _check_sizes(
    folder: Path, node: Mapping[str, Any], runtime: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Raise SentexpError if a model of this package is to have other sizes than its weights.

    They are compared on a device without memory: sizes that nobody has could fill all there is, or take forever.
    """
    if schema_of("model", node.get("_target_")) is None:
        return
    layers = node.get("num_layers", 1)
    if not isinstance(layers, int) or layers > len(weights):
        raise SentexpError(
            f"{folder / WEIGHTS}: does not fit {CONFIG} and {LABELS}: {len(weights)} weights for num_layers={layers}"
        )
    with torch.device("meta"):
        model = build(node, **runtime)
    if is_solved(model):  # it takes its sizes from the weights
        return
    expected = model.state_dict()
    for name in expected.keys() & weights.keys():
        if expected[name].shape != weights[name].shape:
            sizes = f"{list(weights[name].shape)} where {list(expected[name].shape)} is expected"
            raise SentexpError(f"{folder / WEIGHTS}: does not fit {CONFIG} and {LABELS}: {name} is {sizes}")


def is_language_model(config: Mapping[str, Any]) -> bool:
    """Return True for the configuration of a run with task=language_model."""
    task = config.get("task")
    return isinstance(task, Mapping) and task.get("_target_") == LanguageModelConfig._target_


def _read_weights(path: Path) -> dict[str, Tensor]:
    weights = read_tensors(path)
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise SentexpError(f"{path}: holds no state_dict; expected names and tensors")
    return weights
