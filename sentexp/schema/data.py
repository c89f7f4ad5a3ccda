"""The keys of data."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Optional

from sentexp.errors import nearest_path
from sentexp.schema.keys import key


@dataclass
class DemoConfig:
    _target_: str = "sentexp.data.demo.load"
    size: int = key(at_least=20)
    """Reviews in all, but for the unlabelled ones."""
    unlabelled: int = key(at_least=0)
    """Further reviews, without labels."""
    test_fraction: float = key(above=0, below=1)
    """Share of the reviews kept for the test."""
    valid_fraction: float = key(at_least=0, below=1)
    """Share of the remaining reviews kept for validation; 0 trains on all."""
    labels: Optional[int] = key(at_least=2)
    """Training reviews that keep their labels; the others become unlabelled text."""
    limit: Optional[int] = key(at_least=2)
    """Largest number of reviews per split."""
    seed: int = key(at_least=0)
    """Seed of the generator and of the splits."""


@dataclass
class TablesConfig:
    """The keys of every source of tables: its columns, what is made of the labels, and how it is split."""

    text_column: Any = key()
    """Column that holds the review, or a list of columns that are joined; `review.text` is a field inside one."""
    label_column: str = key()
    """Column that holds the label."""
    label_map: Any = key()
    """Another label for each label of the data; null drops its reviews."""
    label_cuts: Optional[list[float]] = key()
    """Numbers at which scores are cut into classes, in ascending order."""
    ignore_label_case: bool = key()
    """Make labels one that differ only in upper and lower case."""
    drop_duplicates: bool = key()
    """Keep only one review of each text, rather in the test than in training."""
    block: int = key(at_least=1)
    """A split is held out in blocks of so many neighbouring rows."""
    labels: Optional[int] = key(at_least=2)
    """Training reviews that keep their labels; the others become unlabelled text."""
    limit: Optional[int] = key(at_least=2)
    """Largest number of reviews per split."""
    seed: int = key(at_least=0)
    """Seed of the splits."""

    def problems(self) -> Iterator[str]:
        columns = self.text_column if isinstance(self.text_column, list) else [self.text_column]
        if not columns or not all(isinstance(column, (str, int)) for column in columns):
            yield f"data.text_column={self.text_column}: expected a column, or a list of columns such as [title,text]"
        if self.label_column in columns:
            yield f"data.text_column={self.text_column}: expected another column than data.label_column"
        labels = self.label_map
        if labels is not None:
            new = list(labels.values()) if isinstance(labels, Mapping) else []
            if all(label is None for label in new) or any(isinstance(label, (list, dict)) for label in new):
                yield f"data.label_map={labels}: expected labels with their new names, such as {{1: neg, 5: pos}}"
            if self.label_cuts is not None:
                yield f"data.label_cuts={self.label_cuts}: expected without data.label_map"
        cuts = self.label_cuts
        if cuts is not None and (not cuts or any(low >= high for low, high in pairwise(cuts))):
            yield f"data.label_cuts={cuts}: expected one or more numbers in ascending order"


@dataclass
class HubConfig(TablesConfig):
    _target_: str = "sentexp.data.hub.load"
    name: Optional[str] = key()
    """OWNER/NAME on the Hugging Face Hub."""
    config: Optional[str] = key()
    """The dataset's own configuration."""
    revision: Optional[str] = key()
    """Commit or tag of the dataset."""
    path: Optional[str] = key(path=True)
    """Local folder in the Hub's layout, used in place of the Hub."""
    train_split: str = key()
    """Split to train on."""
    valid_split: Optional[str] = key()
    """Split to validate on; auto is the dataset's own if it has one. Without one, part of the training split."""
    test_split: str = key()
    """Split to test on."""
    unlabelled_split: Optional[str] = key()
    """Split whose texts are taken without their labels, if it has any."""
    valid_fraction: float = key(at_least=0, below=1)
    """Share of the training split kept for validation where valid_split is null; 0 trains on all."""

    def problems(self) -> Iterator[str]:
        if self.name is None and self.path is None:
            yield "data.name=null: expected OWNER/NAME of a dataset on the Hub, or data.path=FOLDER"
        for name in ("train_split", "valid_split"):
            if self.unlabelled_split is not None and self.unlabelled_split == getattr(self, name):
                yield f"data.unlabelled_split={self.unlabelled_split}: expected another split than data.{name}"
        yield from _absent(path=self.path)
        yield from super().problems()


@dataclass
class FilesConfig(TablesConfig):
    _target_: str = "sentexp.data.files.load"
    path: Optional[str] = key(path=True)
    """One file or folder that is split by the fractions, or a folder of train/ and test/."""
    train: Optional[str] = key(path=True)
    """File or folder to train on."""
    valid: Optional[str] = key(path=True)
    """File or folder to validate on."""
    test: Optional[str] = key(path=True)
    """File or folder to test on."""
    unlabelled: Optional[str] = key(path=True)
    """File or folder of texts without labels: of the formats below, with one text per line (*.txt), or a folder of
    files *.txt."""
    format: str = key(choices=("auto", "csv", "tsv", "json", "jsonl", "parquet", "excel", "folder"))
    """Format of the files; auto goes by the ending of their names."""
    header: bool = key()
    """The first row of csv, tsv and Excel names the columns; without it they are numbers from 1."""
    delimiter: str = key(
        pattern=r"auto|comma|semicolon|tab|bar|[^\w\s\"]", expected="auto, comma, semicolon, tab, bar or one character"
    )
    """What separates the fields of csv and tsv; auto finds out."""
    quoting: str = key(choices=("auto", "standard", "none"))
    """With standard, double quotation marks in csv and tsv enclose fields; with none they are plain characters."""
    encoding: str = key()
    """Encoding of text files, by Python's name for it."""
    test_fraction: float = key(above=0, below=1)
    """Share kept for the test where there is no test file."""
    valid_fraction: float = key(at_least=0, below=1)
    """Share of the rest kept for validation where there is no validation file; 0 trains on all."""

    def problems(self) -> Iterator[str]:
        if self.path is None and self.train is None:
            yield "data.path=null: expected a file or folder, or data.train"
        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        if self.path is not None and any(split is not None for split in splits.values()):
            yield f"data.path={self.path}: expected alone, without data.train, data.valid and data.test"
        for name in ("path", "train", "valid"):
            if self.unlabelled is not None and self.unlabelled == getattr(self, name):
                yield f"data.unlabelled={self.unlabelled}: expected another file or folder than data.{name}"
        yield from _absent(path=self.path, unlabelled=self.unlabelled, **splits)
        yield from super().problems()


def _absent(**paths: Optional[str]) -> Iterator[str]:
    for name, path in paths.items():
        if path is not None and not os.path.exists(os.path.expanduser(path)):
            yield f"data.{name}={path}: no such file or folder{nearest_path(path)}"
