"""The user's own reviews, from one file or folder or from one per split.

A file is parsed once, into an Arrow file in the cache folder of `datasets`; later starts map that file into memory, so
the memory needed does not grow with the corpus. It is found again by path, size, modification and change time of the
files that it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import datasets
import pyarrow as pa

from sentexp.atomic import whole_file
from sentexp.data.folders import read_folder, review_files, splits_of
from sentexp.data.reviews import RawSplit, Reviews, take_columns, to_reviews
from sentexp.data.tables import ENDINGS, PARSERS
from sentexp.errors import SentexpError, did_you_mean

FORMATS = ("auto", *PARSERS, "folder")
_LAYOUT = 1
"""Version of the cached files; with another one, none of the older files is used."""


def load(
    path: str | None,
    train: str | None,
    valid: str | None,
    test: str | None,
    format: str,
    text_column: str,
    label_column: str,
    encoding: str,
    test_fraction: float,
    valid_fraction: float,
    limit: int | None,
    seed: int,
) -> Reviews:
    """Read reviews from `path`, or from one file or folder per split: `train` and, if given, `valid` and `test`.

    What comes from `path` is split by the fractions, unless it is a folder with train/ and test/ inside. The splits
    keep the proportions of the labels.

    Raises ValueError for arguments that contradict each other, and SentexpError, with the file and the line if there is
    one, for anything that cannot be read.
    """
    if format not in FORMATS:
        raise ValueError(f"format={format}: not one of {', '.join(FORMATS)}{did_you_mean(format, FORMATS)}")
    given = {key: value for key, value in (("train", train), ("valid", valid), ("test", test)) if value is not None}
    if path is not None and given:
        raise ValueError(f"path={path}: expected either path or {next(iter(given))}, not both")
    if path is None and train is None:
        raise ValueError("path=None: expected a file or folder, or train")

    sources = {key: _existing(f"data.{key}", value) for key, value in given.items()}
    if path is not None:
        whole = _existing("data.path", path)
        sources = (splits_of(whole) if whole.is_dir() else {}) or {"train": whole}
    if len(set(sources.values())) < len(sources):
        raise SentexpError("data.train, data.valid and data.test: expected different files")
    raw = {role: _read(source, format, text_column, label_column, encoding) for role, source in sources.items()}
    return to_reviews(
        raw,
        source=path or ", ".join(given.values()),
        test_fraction=test_fraction,
        valid_fraction=valid_fraction,
        limit=limit,
        seed=seed,
    )


def _existing(key: str, value: str) -> Path:
    path = Path(value).expanduser()
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SentexpError(f"{key}={value}: no such file or folder{did_you_mean(path.name, siblings)}")
    return path


def _read(path: Path, format: str, text_column: str, label_column: str, encoding: str) -> RawSplit:
    """Read one file or folder, or take it from the cache."""
    kind = _format(path, format)
    try:
        if kind == "folder":
            files = review_files(path)
            batches = read_folder(path, files, encoding)
            text_column, label_column = "text", "label"
        else:
            files = [path]
            batches = PARSERS[kind](path, text_column, label_column, encoding)
        key = _key(files, kind, text_column, label_column, encoding)
        rows = _cached(key, batches, path)
    except OSError as error:
        raise SentexpError(f"{error.filename or path}: {error.strerror or error}") from error
    if kind == "parquet":
        return take_columns(rows, str(path), text_column, label_column)
    if kind == "folder":
        return RawSplit(rows, str(path), "the folder's name", place=lambda row: str(path / rows[row]["file"]))
    return RawSplit(rows, str(path), label_column, place=lambda row: f"{path}:{rows[row]['line']}")


def _format(path: Path, format: str) -> str:
    if path.is_dir() or format == "folder":
        if not path.is_dir():
            raise SentexpError(f"data.format=folder: {path} is a file")
        if format not in ("auto", "folder"):
            raise SentexpError(f"data.format={format}: {path} is a folder; expected auto or folder")
        return "folder"
    if format != "auto":
        return format
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise SentexpError(
            f"{path}: cannot tell its format by its ending; expected {' '.join(ENDINGS)}, or data.format=NAME"
        )
    return ENDINGS[ending]


def _key(files: list[Path], *choices: str) -> str:
    """Hash what is read and how. A file that is written again has another change time, if not another size."""
    hasher = hashlib.blake2b(json.dumps([_LAYOUT, *choices]).encode(), digest_size=16)
    for file in files:
        stat = file.stat()
        hasher.update(f"{file.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
    return hasher.hexdigest()


def _cached(key: str, batches: Iterator[pa.RecordBatch], path: Path) -> datasets.Dataset:
    """Return the batches as a dataset mapped into memory. They are consumed only if the cache has no file for `key`."""
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "sentexp"
    target = folder / f"{key}.arrow"
    if not target.exists():
        first = next(batches, None)
        if first is None:
            raise SentexpError(f"{path}: no rows")
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as unfinished, pa.ipc.new_stream(unfinished, first.schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)
    return datasets.Dataset.from_file(str(target))
