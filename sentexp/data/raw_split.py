"""One split as it comes from its source: `RawSplit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import datasets
import pyarrow as pa

from sentexp.data.columns import check_columns, is_text, joined_texts

LABELLED, UNLABELLED_SPLIT = ("train", "valid", "test"), "unlabelled"
"""The splits with labels, which all data have in the end, and the one without, which is there only when asked for."""


@dataclass(frozen=True)
class RawSplit:
    """One split as it comes from its source, before rows without text or label are left out.

    Raises ValueError if `rows` lacks a column or if its texts are not strings.
    """

    rows: datasets.Dataset
    """Has a column `text` of strings and, unless `label_column` is None, a column `label` of strings, integers,
    booleans or a ClassLabel."""
    name: str
    """What messages call the split: a file, or the split of a dataset."""
    label_column: str | None = "label"
    """What messages call the label column: its name in the source; None for texts without labels."""
    place: Callable[[int], str] | None = None
    """Returns what messages call row i, counted from 0; None: `name, row i+1`."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """How much of the source is not among `rows`, by place and reason."""

    def __post_init__(self) -> None:
        features, labelled = self.rows.features, self.label_column is not None
        if (labelled and "label" not in features) or not is_text(features.get("text")):
            expected = "columns text (strings) and label" if labelled else "a column text (strings)"
            raise ValueError(f"{self.name}: expected {expected}, found {dict(features)}")

    def where(self, row: int) -> str:
        return self.place(row) if self.place else f"{self.name}, row {row + 1}"


def take_columns(
    rows: datasets.Dataset,
    name: str,
    text_columns: Sequence[str],
    label_column: str | None,
    place: Callable[[int], str] | None = None,
) -> RawSplit:
    """Return a split of columns of `rows`: the texts, joined, as `text`, and the label as `label`.

    With None for `label_column` no labels are taken. Raises SentexpError if a column is missing or a text column does
    not hold text.
    """
    wanted = [*text_columns, *([] if label_column is None else [label_column])]
    if not set(wanted) <= set(rows.column_names):
        rows = rows.flatten()  # a field inside a column, such as review.text
    check_columns(rows.features, name, text_columns, label_column)
    rows = rows.select_columns(wanted)
    # In two steps, since the label column may be called text.
    rows = rows.rename_columns({} if label_column is None else {label_column: "__label"})
    if len(text_columns) == 1:
        rows = rows.rename_columns({text_columns[0]: "__text"})
    else:

        def joined(batch: pa.Table) -> pa.Table:
            texts = [batch[column].combine_chunks() for column in text_columns]
            kept = batch.drop_columns(list(text_columns))
            return kept.append_column("__text", joined_texts(texts))

        kinds = dict(rows.features)
        rows = rows.with_format("arrow").map(joined, batched=True, remove_columns=rows.column_names).with_format(None)
        if label_column is not None:
            rows = rows.cast_column("__label", kinds["__label"])  # what `map` returns has lost the class names
    renamed = {column: column.removeprefix("__") for column in rows.column_names}
    return RawSplit(rows.rename_columns(renamed), name, label_column, place)
