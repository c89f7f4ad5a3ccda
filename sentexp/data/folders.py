"""One text file per review, one folder per label: `pos/0_9.txt`, `neg/1_2.txt` (the layout of Maas et al., 2011)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from sentexp.data.labels import name_of, sort_names
from sentexp.data.opened import ending_of, text_lines
from sentexp.data.tables import ENDINGS, ROWS_PER_BATCH
from sentexp.errors import SentexpError

SPLIT_NAMES = {"train": ("train", "training"), "valid": ("valid", "validation", "val", "dev"), "test": ("test",)}
SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string()), ("file", pa.string())])
# Names of folders for reviews without a label (`unsup` beside IMDB's pos and neg): counted, not read.
UNLABELLED = ("unsup", "unsupervised", "unlabelled", "unlabeled")


def splits_of(folder: Path) -> dict[str, Path]:
    """Return what inside `folder` holds the splits train, valid and test; none if there is no train.

    A split is a folder (train/) or a file that a parser reads (train.csv, train.jsonl.gz). Raises SentexpError if two
    have the name of one split.
    """
    found: dict[str, Path] = {}
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for role, names in SPLIT_NAMES.items():
        named = [
            entry
            for entry in entries
            if (entry.is_dir() and entry.name.lower() in names)
            or (entry.is_file() and entry.name.partition(".")[0].lower() in names and ending_of(entry) in ENDINGS)
        ]
        if len(named) > 1:
            listed = ", ".join(entry.name for entry in named)
            raise SentexpError(f"{folder}: {listed}: expected one for {role}, or data.train, data.valid and data.test")
        found.update({role: named[0]} if named else {})
    return found if "train" in found else {}


def review_files(folder: Path) -> list[Path]:
    """List the files `LABEL/*.txt` in `folder`, label by label in natural order. Raises SentexpError without any."""
    labels = {child.name: child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")}
    files = [
        file
        for name in sort_names(list(labels))
        for file in sorted(labels[name].iterdir())
        if file.suffix.lower() == ".txt" and file.is_file() and not file.name.startswith(".")
    ]
    if not files:
        files_here = [entry for entry in folder.iterdir() if entry.is_file() and entry.suffix.lower() != ".zip"]
        tables = sorted(entry.name for entry in files_here if ending_of(entry) in ENDINGS)
        hint = f"; data.path={folder / tables[0]} reads one file" if tables else ""
        raise SentexpError(
            f"{folder}: no rows; expected a folder for each label with files *.txt, such as pos/1.txt, or train.csv "
            f"and test.csv{hint}"
        )
    return files


def text_files(folder: Path) -> list[Path]:
    """List all files *.txt below `folder`, in the order of their paths. Raises SentexpError without any."""
    found = (Path(place, name) for place, names in _walked(folder) for name in names)
    files = sorted(file for file in found if file.suffix.lower() == ".txt")
    if not files:
        raise SentexpError(f"{folder}: no rows; expected files *.txt, one per text")
    return files


def _walked(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder from `folder` downwards with the names of its files; hidden folders and files do not count."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield place, [name for name in names if not name.startswith(".")]


def files_left_out(folder: Path, files: list[Path], labelled: bool = True) -> dict[str, int]:
    """Count the files below `folder` that are not among `files`, by the reason; hidden ones do not count.

    If `labelled`, folders without a text count as well, each a label.
    """
    taken, counts = set(files), Counter[str]()
    for place, names in _walked(folder):
        for name in names:
            file = Path(place, name)
            if file in taken:
                continue
            if file.suffix.lower() != ".txt":
                counts["files that are not *.txt"] += 1
            else:
                counts["texts that are not directly in the folder of a label"] += 1
    read = {file.parent for file in files}
    for label in folder.iterdir() if labelled else ():
        if label.is_dir() and not label.name.startswith(".") and label not in read:
            counts[f"no text in the folder {label.name}"] += 1
    return {f"{folder}: {reason}": count for reason, count in sorted(counts.items())}


def read_folder(folder: Path, files: list[Path], encoding: str, labelled: bool = True) -> Iterator[pa.RecordBatch]:
    """Read the files as batches of text, label (the folder's name) and file (its path inside `folder`).

    If `labelled`, those of a folder for reviews without a label have no text either; otherwise no text has a label.
    """
    for start in range(0, len(files), ROWS_PER_BATCH):
        chunk = files[start : start + ROWS_PER_BATCH]
        skipped = [labelled and file.parent.name.lower() in UNLABELLED for file in chunk]
        texts = [
            None if skip else "".join(text_lines(file, encoding)) for file, skip in zip(chunk, skipped, strict=True)
        ]
        labels = [
            None if skip or not labelled else name_of(file.parent.name)
            for file, skip in zip(chunk, skipped, strict=True)
        ]
        names = [file.relative_to(folder).as_posix() for file in chunk]
        yield pa.record_batch([pa.array(column, pa.string()) for column in (texts, labels, names)], schema=SCHEMA)
