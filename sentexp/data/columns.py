"""Which columns of a table hold the texts and the labels, and how the table is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import pyarrow as pa

from sentexp.errors import SentexpError, did_you_mean

Row = tuple["str | None", "str | None", int]
"""Text, label, and the line at which the row begins."""


@dataclass(frozen=True)
class Columns:
    """What `data=files` is told about a table."""

    texts: tuple[str, ...] = ("text",)
    """Columns that hold the text; several are joined with a space. `review.text` is the field text of the column
    review; without a header, columns are numbers from 1."""
    label: str | None = "label"
    """Column that holds the label; None where none is read."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    delimiter: str = "auto"
    """What separates fields: auto, a name of DELIMITERS, or one character."""
    quoting: str = "auto"
    """What double quotation marks mean: auto, standard or none."""
    header: bool = True
    """True if the first row names the columns."""

    @property
    def wanted(self) -> set[str]:
        """All columns that are read."""
        return {column for _, column in keyed(self.texts, self.label)}

    def find(self, names: Sequence[str], where: str) -> tuple[list[int], int | None]:
        """Return the places of the text columns and of the label column, None where none is read.

        Raises SentexpError if one is missing.
        """
        for key, column in keyed(self.texts, self.label):
            if column not in names:
                error = no_column(key, column, names, where)
                if self.header and not self.wanted & set(names):
                    raise SentexpError(f"{error}; data.header=false where the first row is a review, not names")
                raise error
        return [names.index(text) for text in self.texts], None if self.label is None else names.index(self.label)

    @staticmethod
    def join(texts: Iterable[str | None]) -> str:
        """Join the texts that are there; empty if none is, which then counts as no text."""
        return " ".join(text for text in texts if text)


def text_columns(value: str | int | Sequence[str | int]) -> tuple[str, ...]:
    """Return the value of data.text_column, one name or number or several, as a tuple of names."""
    return (str(value),) if isinstance(value, (str, int)) else tuple(map(str, value))


def keyed(texts: Sequence[str], label: str | None) -> list[tuple[str, str]]:
    """Return each column beside the key that names it."""
    return [*(("text_column", text) for text in texts), *([] if label is None else [("label_column", label)])]


def no_column(key: str, column: str, names: Sequence[str], where: str) -> SentexpError:
    """Return, for the caller to raise, the error that `data.KEY` names a column that `where` does not have."""
    known = ", ".join(name[:40] for name in names) or "none"
    return SentexpError(
        f"data.{key}={column}: no such column in {where}; its columns: {known}{did_you_mean(column, list(names))}"
    )


def at_path(row: dict[str, Any], path: str) -> Any:
    """Return the value of a column, or of a field inside one as in `review.text`; None if it is not there."""
    if path in row or "." not in path:
        return row.get(path)
    head, _, rest = path.partition(".")
    inner = row.get(head)
    return at_path(inner, rest) if isinstance(inner, dict) else None


def check_columns(features: datasets.Features, name: str, texts: Sequence[str], label: str | None) -> None:
    """Raise SentexpError unless `features`, the columns of `name`, has all columns and the texts are texts."""
    for key, column in keyed(texts, label):
        if column not in features:
            raise no_column(key, column, list(features), name)
    for text in texts:
        if text == label:
            raise SentexpError(f"data.text_column={text}: expected another column than data.label_column")
        if not is_text(features[text]):
            known = ", ".join(column for column, feature in features.items() if is_text(feature)) or "none"
            found = getattr(features[text], "dtype", type(features[text]).__name__)
            raise SentexpError(
                f"data.text_column={text}: expected text, found {found} in {name}; columns of text: {known}"
            )


def is_text(feature: object) -> bool:
    """Return True for strings and for a column of nulls only, which has no type (its rows then count as empty)."""
    return isinstance(feature, datasets.Value) and feature.dtype in ("string", "large_string", "null")


def joined_texts(texts: Sequence[pa.Array]) -> pa.Array:
    """Join columns of text, row by row, as `Columns.join` does."""
    if len(texts) == 1:
        return texts[0]
    # Not by an Arrow kernel: with empty texts skipped, pyarrow's join of rows drops those that have none.
    return pa.array(map(Columns.join, zip(*(text.to_pylist() for text in texts), strict=True)), texts[0].type)
