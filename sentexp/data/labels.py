"""Turns labels of any kind (class numbers with or without names, words, booleans) into names, and sorts these."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sentexp.errors import SentexpError

MISSING = -1
"""The code of a row without a label."""


@dataclass(frozen=True)
class LabelColumn:
    """A column of labels: row i has the label `names[codes[i]]`, or none if `codes[i]` is MISSING."""

    codes: np.ndarray  # int64 [N]
    names: list[str]
    in_order: bool
    """True if the data itself gives the order of `names` (a ClassLabel); otherwise they are to be sorted."""
    minus_one: str | None = None
    """The name that a plain number -1 would have: a class in some data, `no label` in other."""


def encode_labels(rows: datasets.Dataset, column: str, where: Callable[[int], str]) -> LabelColumn:
    """Encode the column `label` of `rows`; messages call it `column`, and row i `where(i)`.

    Null, NaN, an empty string and the -1 of a ClassLabel count as no label. Raises SentexpError for a number with a
    fraction and for anything that cannot be a label (lists, dates ...).
    """
    feature = rows.features["label"]
    values = rows.data.column("label")
    if isinstance(feature, datasets.ClassLabel):
        codes = pc.fill_null(values, MISSING).to_numpy().astype(np.int64)
        known = len(feature.names)
        wrong = np.flatnonzero((codes < MISSING) | (codes >= known))
        if len(wrong):
            row = int(wrong[0])
            raise SentexpError(f"{where(row)}: label {codes[row]} is not one of the {known} that the data declares")
        return LabelColumn(codes, list(feature.names), in_order=True)

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not _can_be_label(values.type):
        raise SentexpError(
            f"data.label_column={column}: expected strings, integers or booleans, found {values.type} in {where(0)}"
        )
    whole = values.combine_chunks()  # one array, or in older versions of pyarrow one or no chunk
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], values.type)
    encoded = whole.dictionary_encode()
    indices = pc.fill_null(encoded.indices, MISSING).to_numpy(zero_copy_only=False).astype(np.int64)

    names: list[str] = []
    code_of: dict[str, int] = {}
    table = np.full(len(encoded.dictionary) + 1, MISSING)  # the last entry is for index -1, MISSING
    for index, value in enumerate(encoded.dictionary.to_pylist()):
        try:
            name = name_of(value)
        except ValueError as error:
            row = int(np.flatnonzero(indices == index)[0])
            raise SentexpError(f"{where(row)}: label {error} (data.label_column={column})") from None
        if name is not None:
            table[index] = code_of.setdefault(name, len(names))
            if table[index] == len(names):
                names.append(name)
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return LabelColumn(table[indices], names, in_order=False, minus_one="-1" if numeric else None)


def name_of(value: object) -> str | None:
    """Return the name of a label, None for no label. Raises ValueError for anything that cannot be a label."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if value != value:
            return None
        if not value.is_integer():
            raise ValueError(f"{value}: expected a whole number or a word")
        return str(int(value))
    if isinstance(value, str):
        return " ".join(value.split()) or None  # one line, so that it can be listed in a text file
    raise ValueError(f"{str(value)[:40]}: expected a word, a whole number, true or false")


def sort_names(names: list[str]) -> list[str]:
    """Sort in natural order: numbers first, by size; words regardless of upper and lower case; `r2` before `r10`."""
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[int, int, list[tuple[int, int, str]], str]:
    if re.fullmatch(r"-?[0-9]{1,18}", name):
        return (0, int(name), [], name)
    parts = [p for p in re.split(r"([0-9]{1,18})", name.casefold()) if p]
    return (1, 0, [(0, int(p), "") if re.fullmatch(r"[0-9]+", p) else (1, 0, p) for p in parts], name)


def _can_be_label(kind: pa.DataType) -> bool:
    checks = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_null,
    )
    return any(check(kind) for check in checks)
