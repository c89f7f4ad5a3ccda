"""Turns labels of any kind (class numbers with or without names, words, booleans) into names, and sorts these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sentexp.errors import SentexpError

MISSING = -1
"""The code of a row without a label."""

ONE_LABEL = "a review has one label here, not several; "
"""How a message begins that refuses a list of labels."""

_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True)
class LabelColumn:
    """A column of labels: row i has the label `names[codes[i]]`, or none if `codes[i]` is MISSING."""

    codes: np.ndarray  # int64 [N]
    names: list[str]
    in_order: bool
    """True if the data itself gives the order of `names` (a ClassLabel); otherwise they are to be sorted."""

    @property
    def minus_one(self) -> int | None:
        """The code of -1 where all names are numbers: a class in some data, `no label` in other. None without it."""
        if "-1" not in self.names or any(as_number(name) is None for name in self.names):
            return None
        return self.names.index("-1")

    def first_row(self, name: str) -> int:
        """Return the first row that has the label `name`."""
        return int(np.flatnonzero(self.codes == self.names.index(name))[0])

    @property
    def present(self) -> set[str]:
        """The names that a row has; a ClassLabel may declare others."""
        return {self.names[code] for code in np.unique(self.codes) if code != MISSING}

    def renamed(self, new_names: Sequence[str | None], order: Sequence[str] | None = None) -> LabelColumn:
        """Return the column with another name for each of `names`, None for no label; equal names become one label."""
        names = (
            list(order) if order is not None else list(dict.fromkeys(name for name in new_names if name is not None))
        )
        table = np.array([MISSING if name is None else names.index(name) for name in new_names] + [MISSING])
        return LabelColumn(table[self.codes], names, in_order=order is not None or self.in_order)


def encode_labels(rows: datasets.Dataset, column: str, where: Callable[[int], str]) -> LabelColumn:
    """Encode the column `label` of `rows`; messages call it `column`, and row i `where(i)`.

    Null, NaN, an empty string and the -1 of a ClassLabel count as no label. Numbers have the same name in every format:
    1, 1.0 and "1.0" are `1`. Raises SentexpError for anything that cannot be a label (lists, dates ...).
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
        why = ONE_LABEL if _is_list(values.type) else ""
        raise SentexpError(
            f"data.label_column={column}: {why}expected strings, numbers or booleans, found {values.type} in {where(0)}"
        )
    if pa.types.is_float32(values.type):
        values = values.cast(pa.string())  # its own shortest digits; as a float of 64 bits 0.1 has seventeen
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
    return LabelColumn(table[indices], names, in_order=False)


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
        if value in (float("inf"), float("-inf")):
            raise ValueError(f"{value}: expected a number or a word")
        return _shown(Decimal(repr(value)))
    if isinstance(value, str):
        word = " ".join(value.split())  # one line, so that it can be listed in a text file
        number = as_number(word)
        return word or None if number is None else _shown(number)
    raise ValueError(f"{str(value)[:40]}: expected a word, a number, true or false")


def as_number(word: str) -> Decimal | None:
    """Return the number that a word is, such as -1, 2.50 or 1e3; None for others, also for codes such as 007."""
    if not _NUMBER.fullmatch(word):
        return None
    try:
        return Decimal(word)
    except InvalidOperation:  # a sign, a point or an exponent alone
        return None


def _shown(number: Decimal) -> str:
    """Return the number without an exponent and without zeros that say nothing: 1.0 is `1`, -0.0 is `0`."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def shortened(names: Sequence[str], most: int = 20) -> str:
    """Return the first `most` names as a list for a message."""
    return f"{', '.join(names[:most])}{', ...' if len(names) > most else ''}"


def sort_names(names: list[str]) -> list[str]:
    """Sort in natural order: numbers first, by size; words regardless of upper and lower case; `r2` before `r10`."""
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[int, Decimal, list[tuple[int, int, str]], str]:
    number = as_number(name)
    if number is not None:
        return (0, number, [], name)
    parts = [p for p in re.split(r"([0-9]{1,18})", name.casefold()) if p]
    return (1, Decimal(), [(0, int(p), "") if re.fullmatch(r"[0-9]+", p) else (1, 0, p) for p in parts], name)


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


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


@dataclass(frozen=True)
class LabelRules:
    """What is made of the labels that the data has, before they are numbered."""

    map: Mapping[object, object] | None = None
    """Another label for each label of the data; None drops its reviews. The new labels keep the order that they have
    here."""
    cuts: Sequence[float] | None = None
    """Ascending numbers at which scores are cut into classes: [2.5, 3.5] makes three."""
    ignore_case: bool = False
    """Make neg, Neg and NEG one label: the most frequent."""

    def apply(
        self, columns: Mapping[str, LabelColumn], where: Callable[[str, int], str]
    ) -> tuple[dict[str, LabelColumn], dict[str, dict[str, int]], list[str]]:
        """Apply the rules to the label column of each split.

        Returns the new columns, how many rows of each split were dropped by reason, and notes: each a line about labels
        that look wrong. `where(split, row)` says where a row stands. Raises SentexpError with it for a label that the
        rules do not cover.
        """
        renamed, dropped, notes = dict(columns), {}, []
        if self.ignore_case:
            renamed = _united(renamed)
        else:
            notes += _differ_in_case(renamed)
        if self.cuts is not None:
            renamed = {split: self._cut(column, split, where) for split, column in renamed.items()}
        if self.map is not None:
            fold = str.casefold if self.ignore_case else str
            table = {fold(str(name_of(old))): name_of(new) for old, new in self.map.items()}
            for split, column in renamed.items():
                dropped[split] = {
                    f"label {name} (data.label_map)": int((column.codes == code).sum())
                    for code, name in enumerate(column.names)
                    if table.get(fold(name), name) is None
                }
            met = {fold(name) for column in renamed.values() for name in column.names}
            unmet = [name for name in table if name not in met]
            if unmet:
                notes.append(f"data.label_map: no review has the label {', '.join(unmet)}")
            renamed = {split: _mapped(column, table, fold, split, where) for split, column in renamed.items()}
        return renamed, dropped, notes

    def _cut(self, column: LabelColumn, split: str, where: Callable[[str, int], str]) -> LabelColumn:
        assert self.cuts is not None
        cuts = [_shown(Decimal(repr(cut))) for cut in self.cuts]
        classes = [f"below {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"from {cuts[-1]}"]
        names: list[str | None] = []
        present = column.present
        for name in column.names:
            number = as_number(name)
            if name not in present:
                names.append(None)
                continue
            if number is None:
                place = where(split, column.first_row(name))
                raise SentexpError(f"{place}: label {name!r}: expected a number, to be cut by label_cuts")
            names.append(classes[int(np.searchsorted(np.array(self.cuts, dtype=float), float(number), side="right"))])
        return column.renamed(names, order=classes)


def _mapped(
    column: LabelColumn,
    table: Mapping[str, str | None],
    fold: Callable[[str], str],
    split: str,
    where: Callable[[str, int], str],
) -> LabelColumn:
    present = column.present
    for name in column.names:
        if name in present and fold(name) not in table:
            raise SentexpError(
                f"{where(split, column.first_row(name))}: label {name!r} is not in data.label_map; null would drop it"
            )
    order = list(dict.fromkeys(name for name in table.values() if name is not None))
    return column.renamed([table.get(fold(name)) for name in column.names], order)


def _variants(columns: Mapping[str, LabelColumn]) -> dict[str, Counter[str]]:
    """Return the names that differ only in case, by their folded form, with the number of their rows."""
    variants: dict[str, Counter[str]] = {}
    for column in columns.values():
        counts = np.bincount(column.codes[column.codes != MISSING], minlength=len(column.names))
        for name, count in zip(column.names, counts, strict=True):
            variants.setdefault(name.casefold(), Counter())[name] += int(count)
    return {folded: found for folded, found in variants.items() if len(found) > 1}


def _united(columns: Mapping[str, LabelColumn]) -> dict[str, LabelColumn]:
    chosen = {folded: found.most_common(1)[0][0] for folded, found in _variants(columns).items()}
    return {
        split: column.renamed([chosen.get(name.casefold(), name) for name in column.names])
        for split, column in columns.items()
    }


def _differ_in_case(columns: Mapping[str, LabelColumn]) -> list[str]:
    listed = [
        " and ".join(f"{name} ({count:,})" for name, count in found.most_common())
        for found in _variants(columns).values()
    ]
    if not listed:
        return []
    return [f"labels that differ only in case: {'; '.join(listed)}; data.ignore_label_case=true makes them one"]
