"""One text file per review, one folder per label: `pos/0_9.txt`, `neg/1_2.txt` (the layout of Maas et al., 2011)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from sentexp.data.labels import name_of, sort_names
from sentexp.data.tables import ROWS_PER_BATCH, text_lines
from sentexp.errors import SentexpError

SPLIT_NAMES = {"train": ("train", "training"), "valid": ("valid", "validation", "val", "dev"), "test": ("test",)}
SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string()), ("file", pa.string())])
# Names of folders for reviews without a label (`unsup` beside IMDB's pos and neg): counted, not read.
UNLABELLED = ("unsup", "unsupervised", "unlabelled", "unlabeled")


def splits_of(folder: Path) -> dict[str, Path]:
    """Return the folders inside `folder` that hold the splits train, valid and test; none if there is no train."""
    found: dict[str, Path] = {}
    for role, names in SPLIT_NAMES.items():
        for name in names:
            if (folder / name).is_dir():
                found.setdefault(role, folder / name)
    return found if "train" in found else {}


def review_files(folder: Path) -> list[Path]:
    """List the files `LABEL/*.txt` in `folder`, label by label in natural order. Raises SentexpError without any."""
    labels = {child.name: child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")}
    files = [
        file
        for name in sort_names(list(labels))
        for file in sorted(labels[name].glob("*.txt"))
        if not file.name.startswith(".")
    ]
    if not files:
        raise SentexpError(f"{folder}: no rows; expected a folder for each label with files *.txt, such as pos/1.txt")
    return files


def read_folder(folder: Path, files: list[Path], encoding: str) -> Iterator[pa.RecordBatch]:
    """Read the files as batches of text, label (the folder's name) and file (its path inside `folder`)."""
    for start in range(0, len(files), ROWS_PER_BATCH):
        chunk = files[start : start + ROWS_PER_BATCH]
        unlabelled = [file.parent.name.lower() in UNLABELLED for file in chunk]
        texts = [
            None if skip else "".join(text_lines(file, encoding)) for file, skip in zip(chunk, unlabelled, strict=True)
        ]
        labels = [None if skip else name_of(file.parent.name) for file, skip in zip(chunk, unlabelled, strict=True)]
        names = [file.relative_to(folder).as_posix() for file in chunk]
        yield pa.record_batch([pa.array(column, pa.string()) for column in (texts, labels, names)], schema=SCHEMA)
