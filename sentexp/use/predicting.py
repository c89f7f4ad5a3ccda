"""Predicts texts in pieces, so that neither memory nor waiting grows with their number."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice, tee
from pathlib import Path
from typing import Any

from sentexp.data.columns import Columns
from sentexp.data.delimited import OnBad
from sentexp.errors import SentexpError
from sentexp.trained_ensemble import Predictor
from sentexp.use.tables import ROWS_PER_CHUNK, open_writer, read_rows

# Shapes: N texts, C classes

KNOWN_WORDS = "known_words"
"""Column with the share of a text's words that the model's vocabulary has."""

SMALL_BYTES = 5_000_000
"""Size of a file up to which one process is done before others have started."""

FIRST_CHUNK = 250
"""Texts in the first chunk that is tokenized; each further one is twice as large, up to ROWS_PER_CHUNK."""

CORES_PER_TOKENIZER = 4
"""Cores on which a model keeps one tokenizing process busy: an LSTM on so many reads what spaCy's tokenizer gives, and
a faster model what can be read and written. Further ones take time from the model: each learns the words again."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one text."""

    label: str
    """The likeliest label."""
    probabilities: dict[str, float]
    """By label."""
    known_words: float
    """Share of the text's words that the model's vocabulary has; 0: the answer says nothing about the text."""


@dataclass(frozen=True)
class Counts:
    """What `predict_file` has done."""

    rows: int
    """Rows written."""
    bad: int
    """Rows without a prediction, and rows that could not be parsed, which are not written."""
    unknown: int
    """Rows of which the model knows no word."""


def tokenizers_for(bytes: int, cores: int) -> int:
    """Return how many processes are to tokenize a file of this size beside the model; 0: the model's own does."""
    return 0 if bytes <= SMALL_BYTES or cores == 1 else -(-cores // CORES_PER_TOKENIZER)


def predictions(
    trained: Predictor, chunks: Iterable[Sequence[str]], processes: int = 0
) -> Generator[list[Prediction], None, None]:
    """Yield the predictions for each chunk of texts, in order, as `TrainedModel.predict_chunks` does."""
    for chunk in trained.predict_chunks(chunks, processes):
        rows = zip(chunk.probabilities.tolist(), chunk.probabilities.argmax(1), chunk.known_words.tolist(), strict=True)
        yield [
            Prediction(trained.labels[best], dict(zip(trained.labels, probabilities, strict=True)), known)
            for probabilities, best, known in rows
        ]


def predict_file(
    trained: Predictor,
    source: Path,
    target: Path,
    columns: Columns,
    *,
    processes: int = 0,
    on_bad: OnBad,
    on_rows: Callable[[int], object],
) -> Counts:
    """Predict all rows of a table, and write them to `target` with further columns; it appears whole or not at all.

    These are label, probability_LABEL and known_words; if the table has one of this name, they begin with `predicted_`.
    A row without a text that can be predicted keeps its place, with these columns empty; `on_bad` is told of it.
    `on_rows` is called with the number of rows in each piece that is done.

    Raises SentexpError for a file, a format or a column that cannot be used.
    """
    bad = rows = unknown = 0

    def tell(problem: str) -> None:
        nonlocal bad
        bad += 1
        on_bad(problem)

    pieces, read_ahead = tee(read_rows(source, columns, tell))  # what is read and not yet written is kept in between
    texts = (text for piece in read_ahead for text in piece.texts if text is not None)
    names: list[str] = []
    with open_writer(target) as write, closing(predictions(trained, _growing(texts), processes)) as predicted:
        answers = chain.from_iterable(predicted)
        for piece in pieces:
            names = names or _new_columns(trained.labels, list(piece.records[0]), target)
            for record, text in zip(piece.records, piece.texts, strict=True):
                answer = next(answers) if text is not None else None
                record.update(zip(names, _values(answer, names), strict=True))
                unknown += answer is not None and answer.known_words == 0
            write(piece.records)
            rows += len(piece.records)
            on_rows(len(piece.records))
    return Counts(rows, bad, unknown)


def _growing(texts: Iterator[str]) -> Iterator[list[str]]:
    """Cut texts into chunks, the first ones small, so that the model need not wait long for one to be tokenized."""
    size = FIRST_CHUNK
    while chunk := list(islice(texts, size)):
        yield chunk
        size = min(2 * size, ROWS_PER_CHUNK)


def _values(prediction: Prediction | None, names: Sequence[str]) -> Sequence[Any]:
    if prediction is None:
        return [None] * len(names)
    return [prediction.label, *prediction.probabilities.values(), prediction.known_words]


def _new_columns(labels: Sequence[str], present: Sequence[str], target: Path) -> list[str]:
    names = ["label", *(f"probability_{label}" for label in labels), KNOWN_WORDS]
    if set(names) & set(present):
        names = [f"predicted_{name}" for name in names]
    if set(names) & set(present):
        both = ", ".join(sorted(set(names) & set(present)))
        raise SentexpError(f"--output {target}: the input has the columns {both} already; expected it without them")
    return names
