"""The user's own reviews, from one file or folder or from one per split.

A file is parsed once, into an Arrow file under `cache_dir`; later starts map that file into memory, so the memory
needed does not grow with the corpus. It is found again by path, size, modification and change time of the files that it
was made from, and removed when these have changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import datasets
import pyarrow as pa

from sentexp.atomic import whole_file
from sentexp.checksums import is_sealed, seal
from sentexp.data.columns import Columns, text_columns
from sentexp.data.copies import CACHE_DIR, COPIES, copies_folder
from sentexp.data.folders import files_left_out, read_folder, review_files, splits_of, text_files
from sentexp.data.labels import LabelRules
from sentexp.data.opened import ending_of
from sentexp.data.raw_split import UNLABELLED_SPLIT, RawSplit
from sentexp.data.reviews import Reviews, to_reviews
from sentexp.data.tables import ENDINGS, PARSERS, read_txt
from sentexp.errors import SentexpError, did_you_mean, one_line

log = logging.getLogger(__name__)

FORMATS = ("auto", *PARSERS, "folder")
_LAYOUT = 3
"""Version of the cached files; with another one, none of the older files is used."""


def load(
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    unlabelled: str | None = None,
    format: str = "auto",
    text_column: str | Sequence[str] = "text",
    label_column: str = "label",
    header: bool = True,
    delimiter: str = "auto",
    quoting: str = "auto",
    encoding: str = "utf-8",
    label_map: Mapping[object, object] | None = None,
    label_cuts: Sequence[float] | None = None,
    ignore_label_case: bool = False,
    drop_duplicates: bool = False,
    labels: int | None = None,
    test_fraction: float = 0.2,
    valid_fraction: float = 0.1,
    block: int = 1,
    limit: int | None = None,
    seed: int = 0,
    cache_dir: Path | str = CACHE_DIR,
) -> Reviews:
    """Read reviews from `path`, or from one file or folder per split: `train` and, if given, `valid` and `test`.

    >>> from sentexp.data.files import load
    >>> reviews = load("reviews.csv.gz", text_column=["title", "review"], label_column="stars",
    ...                label_map={1: "neg", 2: "neg", 3: None, 4: "pos", 5: "pos"})  # doctest: +SKIP

    What comes from `path` is split by the fractions, unless it is a folder with train and test inside. The splits keep
    the proportions of the labels. `Columns` and `LabelRules` say what the keys about columns and labels mean.

    `unlabelled` is a further file or folder whose texts become the split unlabelled: of a format that its ending tells,
    else of `format`; a file *.txt with one text per line; or all files *.txt below a folder. See `to_reviews` for
    `labels` and `block`.

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
        if whole not in sources.values():
            unread = sorted({entry.name for entry in whole.iterdir()} - {source.name for source in sources.values()})
            if unread:
                log.info("data: %s: not read: %s", whole, ", ".join(unread))
    if len(set(sources.values())) < len(sources):
        raise SentexpError("data.train, data.valid and data.test: expected different files")
    called = path or ", ".join(given.values())
    if unlabelled is not None:
        sources[UNLABELLED_SPLIT] = _existing("data.unlabelled", unlabelled)
        called += f", {unlabelled}"
    rules = LabelRules(label_map, label_cuts, ignore_label_case)
    columns = Columns(text_columns(text_column), label_column, encoding, delimiter, quoting, header)
    texts_alone = dataclasses.replace(columns, label=None)
    raw = {
        role: _read(source, format, texts_alone if role == UNLABELLED_SPLIT else columns, Path(cache_dir))
        for role, source in sources.items()
    }
    return to_reviews(
        raw,
        source=called,
        test_fraction=test_fraction,
        valid_fraction=valid_fraction,
        limit=limit,
        seed=seed,
        label_rules=rules,
        drop_duplicates=drop_duplicates,
        labels=labels,
        block=block,
    )


def _existing(key: str, value: str) -> Path:
    path = Path(value).expanduser()
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SentexpError(f"{key}={value}: no such file or folder{did_you_mean(path.name, siblings)}")
    return path


def _read(path: Path, format: str, columns: Columns, cache_dir: Path) -> RawSplit:
    """Read one file or folder, or take its copy under `cache_dir`; without labels if `columns` names none."""
    labelled = columns.label is not None
    kind = _format(path, format, labelled)
    try:
        if kind == "folder":
            files = review_files(path) if labelled else text_files(path)
            batches = read_folder(path, files, columns.encoding, labelled)
        else:
            files = [path]
            batches = (read_txt if kind == "txt" else PARSERS[kind])(path, columns)
        rows = _cached(cache_dir, _key(path, kind, columns), _state(files), batches, path)
    except OSError as error:
        raise SentexpError(f"{error.filename or path}: {error.strerror or one_line(error)}") from error
    if kind == "parquet":
        return RawSplit(rows, str(path), columns.label)
    if kind == "folder":
        names = rows.data.column("file")
        return RawSplit(
            rows,
            str(path),
            "the folder's name" if labelled else None,
            lambda row: str(path / names[row].as_py()),
            files_left_out(path, files, labelled),
        )
    lines = rows.data.column("line")
    return RawSplit(rows, str(path), columns.label, place=lambda row: f"{path}:{lines[row].as_py()}")


def _format(path: Path, format: str, labelled: bool) -> str:
    if not labelled:  # the format is that of the other files where this one's name does not tell
        ending = "" if path.is_dir() else ending_of(path)
        format = "auto" if path.is_dir() or ending in ENDINGS else "txt" if ending == ".txt" else format
    if path.is_dir() or format == "folder":
        if not path.is_dir():
            raise SentexpError(f"data.format=folder: {path} is a file")
        if format not in ("auto", "folder"):
            raise SentexpError(f"data.format={format}: {path} is a folder; expected auto or folder")
        return "folder"
    if format != "auto":
        return format
    ending = ending_of(path)
    if ending not in ENDINGS:
        raise SentexpError(
            f"{path}: cannot tell its format by its ending; expected {' '.join(ENDINGS)}, or data.format=NAME"
        )
    return ENDINGS[ending]


def _key(path: Path, kind: str, columns: Columns) -> str:
    """Hash what is read and how."""
    text = json.dumps([_LAYOUT, str(path.absolute()), kind, dataclasses.astuple(columns)])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _state(files: list[Path]) -> str:
    """Hash the state of the files. One that is written again has another change time, if not another size."""
    hasher = hashlib.blake2b(digest_size=8)
    for file in files:
        stat = file.stat()
        hasher.update(f"{file.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
    return hasher.hexdigest()


def _cached(cache_dir: Path, key: str, state: str, batches: Iterator[pa.RecordBatch], path: Path) -> datasets.Dataset:
    """Return the batches as a dataset mapped into memory. They are consumed only if there is no copy of the key and
    the state, or it is damaged; files of an earlier state are then removed."""
    folder = cache_dir.expanduser() / COPIES
    target = folder / f"{key}-{state}.arrow"
    if not _intact(target, path):
        copies_folder(cache_dir)
        first = next(batches, None)
        if first is None:
            raise SentexpError(f"{path}: no rows")
        with whole_file(target) as unfinished:
            with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_stream(file, first.schema) as writer:
                writer.write_batch(first)
                for batch in batches:
                    writer.write_batch(batch)
            seal(unfinished)
        for stale in folder.glob(f"{key}-*.arrow"):
            if stale != target:
                stale.unlink(missing_ok=True)
    return datasets.Dataset.from_file(str(target))


def _intact(target: Path, path: Path) -> bool:
    """Return True if the copy of `path` is there, as it was written; a warning tells of a damaged one."""
    if not target.exists():
        return False
    intact = is_sealed(target)
    if not intact:
        log.warning("%s: damaged (not as written); reading %s anew", target, path)
    return intact
