"""`Reviews`, which every `data=` option returns, and `to_reviews`, which makes them from any source.

Texts stay where `datasets` has mapped them into memory; what is computed here (labels, row numbers) takes 8 bytes per
review.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from sentexp.data.columns import check_columns, is_text, joined_texts
from sentexp.data.duplicates import chosen_chunks, without_duplicates
from sentexp.data.labels import MISSING, LabelColumn, LabelRules, as_number, encode_labels, shortened, sort_names
from sentexp.data.splits import holdout, stratified
from sentexp.errors import SentexpError, did_you_mean

SPLITS = ("train", "valid", "test")
MOST_SCORES = 20
"""Different numbers with fractions that still count as classes, such as half stars."""
LEAST_PER_LABEL = 2
"""Reviews per label, if there are more than MOST_SCORES labels, below which these are no classes."""


@dataclass(frozen=True)
class Reviews:
    """What a `data=` option returns. `to_reviews` makes it."""

    splits: datasets.DatasetDict
    """train, valid and test, each with the columns text (string) and label (int64, 0 to C-1)."""
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

    def where(self, split: str, row: int) -> str:
        """Return where row `row` of a split stands in the source, or in the split if the source does not say."""
        return self.places[split](row) if split in self.places else f"{split}, row {row + 1}"

    def places_of(self, split: str) -> list[str] | None:
        """Return where each review of a split stands in the source; None if the source does not say."""
        return [self.where(split, row) for row in range(len(self.splits[split]))] if split in self.places else None


@dataclass(frozen=True)
class RawSplit:
    """One split as it comes from its source, before rows without text or label are left out.

    Raises ValueError if `rows` lacks one of the two columns or if its texts are not strings.
    """

    rows: datasets.Dataset
    """Has a column `text` of strings and a column `label` of strings, integers, booleans or a ClassLabel."""
    name: str
    """What messages call the split: a file, or the split of a dataset."""
    label_column: str = "label"
    """What messages call the label column: its name in the source."""
    place: Callable[[int], str] | None = None
    """Returns what messages call row i, counted from 0; None: `name, row i+1`."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """How much of the source is not among `rows`, by place and reason."""

    def __post_init__(self) -> None:
        features = self.rows.features
        if "label" not in features or not is_text(features.get("text")):
            raise ValueError(f"{self.name}: expected columns text (strings) and label, found {dict(features)}")

    def where(self, row: int) -> str:
        return self.place(row) if self.place else f"{self.name}, row {row + 1}"


def take_columns(
    rows: datasets.Dataset,
    name: str,
    text_columns: Sequence[str],
    label_column: str,
    place: Callable[[int], str] | None = None,
) -> RawSplit:
    """Return a split of columns of `rows`: the texts, joined, as `text`, and the label as `label`.

    Raises SentexpError if a column is missing or a text column does not hold text.
    """
    if not {*text_columns, label_column} <= set(rows.column_names):
        rows = rows.flatten()  # a field inside a column, such as review.text
    check_columns(rows.features, name, text_columns, label_column)
    rows = rows.select_columns([*text_columns, label_column])
    # In two steps, since the label column may be called text.
    rows = rows.rename_columns({label_column: "__label"})
    if len(text_columns) == 1:
        rows = rows.rename_columns({text_columns[0]: "__text"})
    else:

        def joined(batch: pa.Table) -> pa.Table:
            texts = [batch[column].combine_chunks() for column in text_columns]
            return pa.table({"__text": joined_texts(texts), "__label": batch["__label"]})

        labels = rows.features["__label"]
        rows = rows.with_format("arrow").map(joined, batched=True, remove_columns=rows.column_names)
        rows = rows.with_format(None).cast_column("__label", labels)  # what `map` returns has lost the class names
    return RawSplit(rows.rename_columns({"__text": "text", "__label": "label"}), name, label_column, place)


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
) -> Reviews:
    """Make `Reviews` of raw splits: `train` and, if the source has them, `valid` and `test`.

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
    in `dropped`. Labels, as `label_rules` makes them, are numbered from 0 by
    their names in `train`: in the order of a ClassLabel, otherwise sorted. Of equal texts, `drop_duplicates` keeps one:
    the first, and rather that of `test` than that of `valid` or `train`. Where there is no `test`, a `test_fraction` of
    `train` is held out for it; where there is no `valid`, a `valid_fraction` of what then remains. Of each split, at
    most `limit` reviews are kept. All choices are drawn with `seed` and keep the proportions of the labels.

    Raises ValueError for other splits than these and for a fraction that is missing or not between 0 and 1. Raises
    SentexpError, with the place, for a split that is empty or has fewer reviews than there are labels, for fewer than
    two labels, and for a label that `train` does not have.
    """
    if "train" not in raw or not set(raw) <= set(SPLITS):
        raise ValueError(f"splits {', '.join(raw)}: expected train and, if there are any, valid and test")
    skipped = {reason: count for one in raw.values() for reason, count in one.skipped.items()}
    dropped: dict[str, int] = {}
    columns, unlabelled, notes = _labels(raw, label_rules or LabelRules(), dropped)
    usable = {
        split: _usable(one, columns[split], columns["train"], unlabelled[split], skipped) for split, one in raw.items()
    }
    texts = {split: one.rows.data.column("text") for split, one in raw.items()}
    if drop_duplicates:
        usable = without_duplicates(texts, usable, {split: one.name for split, one in raw.items()}, dropped)
    for split, rows in usable.items():
        if not len(rows):
            raise SentexpError(f"{raw[split].name}: no review is left; data.drop_duplicates=true took all of them")
    names = _names(columns["train"], usable["train"], raw["train"])
    notes += _declared(columns["train"], names)
    numbers = {split: _numbers(one, columns[split], usable[split], names) for split, one in raw.items()}

    parts = {split: (split, rows) for split, rows in usable.items()}  # split -> (raw split it is taken from, its rows)
    for split, fraction in (("test", test_fraction), ("valid", valid_fraction)):
        if split not in parts:
            if fraction is None:
                raise ValueError(f"{split}_fraction=None: expected a fraction, since there is no split {split}")
            _, rows = parts["train"]
            key = f"data.{split}_fraction"
            kept, held = holdout(numbers["train"][rows], fraction, seed, key, raw["train"].name)
            parts["train"], parts[split] = ("train", rows[kept]), ("train", rows[held])

    labelled = {split: _with_numbers(one.rows, numbers[split]) for split, one in raw.items()}
    splits, digests = datasets.DatasetDict(), {}
    places: dict[str, Callable[[int], str]] = {}
    for split in SPLITS:
        origin, rows = parts[split]
        if len(rows) < len(names):
            raise SentexpError(
                f"{raw[origin].name}: {len(rows)} reviews for {split} are fewer than the {len(names)} labels "
                f"(data.label_column={raw[origin].label_column})"
            )
        if limit is not None and limit < len(rows):
            if limit < len(names):
                raise SentexpError(f"data.limit={limit}: expected null or at least {len(names)}, the number of labels")
            rows = rows[stratified(numbers[origin][rows], limit, seed)]
        splits[split] = labelled[origin] if len(rows) == len(labelled[origin]) else labelled[origin].select(rows)
        parts[split] = (origin, rows)
        digests[split] = digest(texts[origin], numbers[origin], rows)
        places[split] = functools.partial(_place, raw[origin], rows)
    return Reviews(splits, names, digests, source, skipped, dropped, notes, places)


def _place(one: RawSplit, rows: np.ndarray, row: int) -> str:
    return one.where(int(rows[row]))


def digest(texts: pa.ChunkedArray, numbers: np.ndarray, rows: np.ndarray) -> str:
    """Hash the texts and label numbers of `rows` (sorted) to 32 hexadecimal digits, however the column is chunked."""
    lengths, content = xxhash.xxh3_128(), xxhash.xxh3_128()
    for chunk in chosen_chunks(texts, rows):
        chunk = chunk.cast(pa.large_string())
        # A slice shares its parent's buffers: only what lies between its own offsets counts.
        offsets = np.frombuffer(chunk.buffers()[1], dtype="<i8")[chunk.offset : chunk.offset + len(chunk) + 1]
        lengths.update(np.diff(offsets).tobytes())
        if offsets[-1] > offsets[0]:
            content.update(memoryview(chunk.buffers()[2])[offsets[0] : offsets[-1]])
    labels = np.ascontiguousarray(numbers[rows], dtype="<i8").tobytes()
    return xxhash.xxh3_128(lengths.digest() + content.digest() + labels).hexdigest()


def _labels(
    raw: Mapping[str, RawSplit], rules: LabelRules, dropped: dict[str, int]
) -> tuple[dict[str, LabelColumn], dict[str, int], list[str]]:
    """Return the label column of each split, as the rules make it, how many rows they drop of it, and notes.

    Counts these by their reason in `dropped`.
    """
    encoded = {split: encode_labels(one.rows, one.label_column, one.where) for split, one in raw.items()}

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
    if not len(one.rows):
        raise SentexpError(f"{one.name}: no rows")
    labelled = column.codes != MISSING
    if column.minus_one is not None and "-1" not in train.names:
        # A plain -1 is a class like any other if training has it; if not, it stands for `no label`, as is common.
        labelled &= column.codes != column.minus_one
    blank = [_blank(chunk) for chunk in one.rows.data.column("text").chunks]
    written = ~np.concatenate(blank)
    for reason, count in (("no label", (~labelled).sum() - unlabelled), ("no text", (labelled & ~written).sum())):
        if count:
            skipped[f"{one.name}: {reason}"] = int(count)
    usable = np.flatnonzero(labelled & written)
    if not len(usable):
        raise SentexpError(f"{one.name}: none of its {len(one.rows)} rows has both a text and a label")
    return usable


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


def _with_numbers(rows: datasets.Dataset, numbers: np.ndarray) -> datasets.Dataset:
    """Return `rows` with numbers in place of labels; the texts stay where they are."""
    labels = datasets.Dataset(pa.table({"label": pa.array(numbers)}))
    return datasets.concatenate_datasets([rows.select_columns(["text"]), labels], axis=1)
