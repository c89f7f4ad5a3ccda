"""`Reviews`, which every `data=` option returns, and `to_reviews`, which makes them from any source.

Texts stay where `datasets` has mapped them into memory; what is computed here (labels, row numbers) takes 8 bytes per
review.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sentexp.data.duplicates import without_duplicates
from sentexp.data.labels import MISSING, LabelColumn, LabelRules, as_number, encode_labels, shortened, sort_names
from sentexp.data.parts import Part, digest_of, place_of, table_of
from sentexp.data.raw_split import LABELLED, UNLABELLED_SPLIT, RawSplit
from sentexp.data.splits import holdout, stratified
from sentexp.errors import SentexpError, did_you_mean

MOST_SCORES = 20
"""Different numbers with fractions that still count as classes, such as half stars."""
LEAST_PER_LABEL = 2
"""Reviews per label, if there are more than MOST_SCORES labels, below which these are no classes."""


@dataclass(frozen=True)
class Reviews:
    """What a `data=` option returns. `to_reviews` makes it."""

    splits: datasets.DatasetDict
    """train, valid, test and, where asked for, unlabelled, each with the columns text (string) and label (int64, 0 to
    C-1; -1 throughout unlabelled)."""
    labels: list[str]
    """The name of each label number; only labels of the training reviews."""
    digests: dict[str, str]
    """Per split, a hash of its texts and label numbers in order: 32 hexadecimal digits, the same on every machine."""
    source: str
    """Where the reviews come from, for people."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many rows or files cannot be used, by place and reason."""
    dropped: dict[str, int] = field(default_factory=dict)
    """How many rows the user's own keys leave out (data.label_map, data.drop_duplicates), by place and reason."""
    notes: list[str] = field(default_factory=list)
    """What looks wrong in the source and cannot be seen in the splits, one line each."""
    places: dict[str, Callable[[int], str]] = field(default_factory=dict)
    """Per split, a function that says where row i of it stands in the source, such as `reviews.csv:12`."""

    test_as_unlabelled: bool = False
    """True if the unlabelled texts were asked for from the very source of the test reviews."""

    def where(self, split: str, row: int) -> str:
        """Return where row `row` of a split stands in the source, or in the split if the source does not say."""
        return self.places[split](row) if split in self.places else f"{split}, row {row + 1}"

    def places_of(self, split: str) -> list[str] | None:
        """Return where each review of a split stands in the source; None if the source does not say."""
        return [self.where(split, row) for row in range(len(self.splits[split]))] if split in self.places else None


def to_reviews(
    raw: Mapping[str, RawSplit],
    *,
    source: str,
    test_fraction: float | None = None,
    valid_fraction: float | None = None,
    limit: int | None = None,
    seed: int = 0,
    label_rules: LabelRules | None = None,
    drop_duplicates: bool = False,
    labels: int | None = None,
    block: int = 1,
) -> Reviews:
    """Make `Reviews` of raw splits: `train` and, if the source has them, `valid`, `test` and `unlabelled`.

    >>> import datasets
    >>> from sentexp.data import RawSplit, to_reviews
    >>> rows = {"text": ["fine"] * 10 + ["poor"] * 10 + [""], "label": ["pos"] * 10 + ["neg"] * 11}
    >>> raw = {"train": RawSplit(datasets.Dataset.from_dict(rows), "my reviews")}
    >>> reviews = to_reviews(raw, source="my reviews", test_fraction=0.2, valid_fraction=0.25)
    >>> reviews.labels
    ['neg', 'pos']
    >>> {split: len(rows) for split, rows in reviews.splits.items()}
    {'train': 12, 'valid': 4, 'test': 4}
    >>> reviews.splits["test"][0]
    {'text': 'fine', 'label': 1}
    >>> reviews.skipped
    {'my reviews: no text': 1}

    Rows without text or label are left out and counted in `skipped`, those that `label_rules` or `drop_duplicates` take
    in `dropped`; those of `unlabelled` need no label. Labels, as `label_rules` makes them, are numbered from 0 by their
    names in `train`: in the order of a ClassLabel, otherwise sorted. Of equal texts, `drop_duplicates` keeps one: the
    first, and rather that of `test` than that of `valid`, `train` or, last, `unlabelled`. Where there is no `test`, a
    `test_fraction` of `train` is held out for it; where there is no `valid`, a `valid_fraction` of what then remains:
    with 0 there is none. Both hold out rows in blocks of `block` neighbours. Of each split, at most `limit` reviews are
    kept. Of `train`, only `labels` reviews then keep their labels; the others become reviews of `unlabelled`, behind
    those that are there. Unlabelled texts that are also in `valid` or `test` are left out and counted in `dropped`, so
    that what learns from them stays inductive, unless the very source of `test` was named for `unlabelled`. All choices
    are drawn with `seed` and keep the proportions of the labels.

    Raises ValueError for other splits than these, for one of the others than `unlabelled` without a label column, and
    for a fraction that is missing or not between 0 and 1. Raises SentexpError, with the place, for a split that is
    empty or has fewer reviews than there are labels, for fewer than two labels, for a label that `train` does not have,
    and for fewer `labels` than there are or more than there are training reviews.
    """
    given = {split: one for split, one in raw.items() if split != UNLABELLED_SPLIT}
    if "train" not in given or not set(given) <= set(LABELLED):
        raise ValueError(f"splits {', '.join(raw)}: expected train and, if there are any, valid, test and unlabelled")
    for one in given.values():
        if one.label_column is None:
            raise ValueError(f"{one.name}: expected a column label")
    skipped = {reason: count for one in raw.values() for reason, count in one.skipped.items()}
    dropped: dict[str, int] = {}
    columns, unnamed, notes = _labels(given, label_rules or LabelRules(), dropped)
    usable = {
        split: _usable(one, columns[split], columns["train"], unnamed[split], skipped) for split, one in given.items()
    }
    if UNLABELLED_SPLIT in raw:
        usable[UNLABELLED_SPLIT] = _with_text(raw[UNLABELLED_SPLIT], skipped)
    if drop_duplicates:
        texts = {split: one.rows.data.column("text") for split, one in raw.items()}
        usable = without_duplicates(texts, usable, {split: one.name for split, one in raw.items()}, dropped)
    for split, rows in usable.items():
        if not len(rows):
            raise SentexpError(f"{raw[split].name}: no review is left; data.drop_duplicates=true took all of them")
    names = _names(columns["train"], usable["train"], raw["train"])
    notes += _declared(columns["train"], names)

    parts = {
        split: Part(one, _numbers(one, columns[split], usable[split], names), usable[split])
        for split, one in given.items()
    }
    for split, fraction in (("test", test_fraction), ("valid", valid_fraction)):
        if split not in parts:
            if fraction is None:
                raise ValueError(f"{split}_fraction=None: expected a fraction, since there is no split {split}")
            if fraction or split == "test":
                parts["train"], parts[split] = _held_out(
                    parts["train"], fraction, seed, f"data.{split}_fraction", block
                )
    parts = {split: _limited(parts[split], split, len(names), limit, seed) for split in LABELLED if split in parts}
    unlabelled = []
    if UNLABELLED_SPLIT in raw:
        texts_alone = _without_labels(raw[UNLABELLED_SPLIT], usable[UNLABELLED_SPLIT])
        unlabelled.append(_limited(texts_alone, UNLABELLED_SPLIT, 0, limit, seed))
    if labels is not None:
        parts["train"], handed_over = _few_labels(parts["train"], labels, len(names), seed)
        unlabelled += handed_over
    held_out = [part for split, part in parts.items() if split != "train"]
    test_as_unlabelled = UNLABELLED_SPLIT in raw and raw[UNLABELLED_SPLIT].name == parts["test"].raw.name
    if not test_as_unlabelled:
        unlabelled = [_without_texts_of(held_out, part, dropped) for part in unlabelled]
    whole = {split: [part] for split, part in parts.items()} | ({UNLABELLED_SPLIT: unlabelled} if unlabelled else {})
    return Reviews(
        datasets.DatasetDict({split: table_of(of) for split, of in whole.items()}),
        names,
        {split: digest_of(of) for split, of in whole.items()},
        source,
        skipped,
        dropped,
        notes,
        {split: functools.partial(place_of, of) for split, of in whole.items()},
        test_as_unlabelled,
    )


def _held_out(train: Part, fraction: float, seed: int, key: str, block: int) -> tuple[Part, Part]:
    kept, held = holdout(train.numbers[train.rows], fraction, seed, key, train.raw.name, block)
    return train.chosen(kept), train.chosen(held)


def _limited(part: Part, split: str, least: int, limit: int | None, seed: int) -> Part:
    """Return at most `limit` rows of a split, which needs `least`: one per label."""
    if len(part.rows) < least:
        raise SentexpError(
            f"{part.raw.name}: {len(part.rows)} reviews for {split} are fewer than the {least} labels "
            f"(data.label_column={part.raw.label_column})"
        )
    if limit is None or limit >= len(part.rows):
        return part
    if limit < least:
        raise SentexpError(f"data.limit={limit}: expected null or at least {least}, the number of labels")
    return part.chosen(stratified(part.numbers[part.rows], limit, seed))


def _without_texts_of(held_out: list[Part], unlabelled: Part, dropped: dict[str, int]) -> Part:
    """Leave out the unlabelled texts that are held out for validation or test as well, and count them in `dropped`."""
    again = np.isin(unlabelled.hashes(), np.concatenate([part.hashes() for part in held_out]))
    if again.all():
        raise SentexpError(f"{unlabelled.raw.name}: all texts without labels are also in the validation or test split")
    if again.any():
        reason = f"{unlabelled.raw.name}: without its label, a text of the validation or test split"
        dropped[reason] = dropped.get(reason, 0) + int(again.sum())
    return unlabelled.chosen(np.flatnonzero(~again))


def _without_labels(one: RawSplit, rows: np.ndarray) -> Part:
    return Part(one, np.full(len(one.rows), MISSING, dtype=np.int64), rows)


def _few_labels(train: Part, labels: int, least: int, seed: int) -> tuple[Part, list[Part]]:
    """Return the part of the training reviews that keeps its labels, and what is handed over without them."""
    if not least <= labels <= len(train.rows):
        raise SentexpError(
            f"data.labels={labels}: expected null, or at least {least}, the number of labels, and at most "
            f"{len(train.rows):,}, the number of training reviews"
        )
    kept = stratified(train.numbers[train.rows], labels, seed)
    rest = np.setdiff1d(train.rows, train.rows[kept], assume_unique=True)
    return train.chosen(kept), [_without_labels(train.raw, rest)] if len(rest) else []


def _labels(
    raw: Mapping[str, RawSplit], rules: LabelRules, dropped: dict[str, int]
) -> tuple[dict[str, LabelColumn], dict[str, int], list[str]]:
    """Return the label column of each split, as the rules make it, how many rows they drop of it, and notes.

    Counts these by their reason in `dropped`.
    """
    encoded = {split: encode_labels(one.rows, str(one.label_column), one.where) for split, one in raw.items()}
    columns, by_reason, notes = rules.apply(encoded, lambda split, row: raw[split].where(row))
    for split, reasons in by_reason.items():
        dropped.update({f"{raw[split].name}: {reason}": count for reason, count in reasons.items() if count})
    return columns, {split: sum(by_reason.get(split, {}).values()) for split in raw}, notes


def _usable(
    one: RawSplit, column: LabelColumn, train: LabelColumn, unlabelled: int, skipped: dict[str, int]
) -> np.ndarray:
    """Return the rows of `one` that have a text and a label, and count the others in `skipped`.

    `unlabelled` rows are without a label by the label rules, and counted already.
    """
    written = _written(one)
    labelled = column.codes != MISSING
    if column.minus_one is not None and "-1" not in train.names:
        # A plain -1 is a class like any other if training has it; if not, it stands for `no label`, as is common.
        labelled &= column.codes != column.minus_one
    for reason, count in (("no label", (~labelled).sum() - unlabelled), ("no text", (labelled & ~written).sum())):
        if count:
            skipped[f"{one.name}: {reason}"] = int(count)
    usable = np.flatnonzero(labelled & written)
    if not len(usable):
        raise SentexpError(f"{one.name}: none of its {len(one.rows)} rows has both a text and a label")
    return usable


def _with_text(one: RawSplit, skipped: dict[str, int]) -> np.ndarray:
    """Return the rows of `one` that have a text, and count the others in `skipped`."""
    written = _written(one)
    if not written.any():
        raise SentexpError(f"{one.name}: none of its {len(one.rows)} rows has a text")
    if not written.all():
        skipped[f"{one.name}: no text"] = int((~written).sum())
    return np.flatnonzero(written)


def _written(one: RawSplit) -> np.ndarray:
    """Return True for each row that has a text, bool [N]."""
    if not len(one.rows):
        raise SentexpError(f"{one.name}: no rows")
    return ~np.concatenate([_blank(chunk) for chunk in one.rows.data.column("text").chunks])


def _blank(texts: pa.Array) -> np.ndarray:
    """Return True for each text that is null, empty or only white space."""
    texts = texts.cast(pa.string()) if pa.types.is_null(texts.type) else texts
    empty = pc.or_(pc.equal(pc.binary_length(texts), 0), pc.utf8_is_space(texts))
    return pc.fill_null(empty, True).to_numpy(zero_copy_only=False)


def _names(column: LabelColumn, usable: np.ndarray, train: RawSplit) -> list[str]:
    present = [column.names[code] for code in np.unique(column.codes[usable])]
    if len(present) < 2:
        raise SentexpError(
            f"{train.name}: every review has the label {present[0]!r} (data.label_column={train.label_column}); "
            "expected two labels or more"
        )
    if (
        len(present) > MOST_SCORES
        and any("." in name for name in present)
        and all(as_number(name) is not None for name in present)
    ):
        raise SentexpError(
            f"{train.name}: {len(present):,} different numbers as labels (data.label_column={train.label_column}); "
            "data.label_cuts=[...] cuts scores into classes"
        )
    if len(present) > MOST_SCORES and len(usable) < LEAST_PER_LABEL * len(present):
        raise SentexpError(
            f"{train.name}: {len(present):,} labels for {len(usable):,} reviews (data.label_column="
            f"{train.label_column}); this looks like a column of ids, expected one of classes"
        )
    return present if column.in_order else sort_names(present)


def _declared(column: LabelColumn, names: list[str]) -> list[str]:
    """Return a note if the data or the label rules declare classes that no training review has."""
    missing = [name for name in column.names if name not in names] if column.in_order else []
    if not missing:
        return []
    return [f"no training review has the label {shortened(missing)}; the model is built without a class for it"]


def _numbers(one: RawSplit, column: LabelColumn, usable: np.ndarray, names: list[str]) -> np.ndarray:
    """Return the label number of each row of `one` [N], MISSING for rows that are not usable."""
    number = {name: i for i, name in enumerate(names)}
    table = np.array([number.get(name, MISSING) for name in column.names], dtype=np.int64)
    numbers = np.full(len(column.codes), MISSING, dtype=np.int64)
    numbers[usable] = table[column.codes[usable]]
    unseen = usable[numbers[usable] == MISSING]
    if len(unseen):
        row = int(unseen[0])
        name = column.names[column.codes[row]]
        raise SentexpError(
            f"{one.where(row)}: label {name!r} does not occur in training, which has {shortened(names)}"
            f"{did_you_mean(name, names)}"
        )
    return numbers
