"""Reviews from a dataset of the Hugging Face Hub or from a local folder in the Hub's layout, by means of `datasets`."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import yaml
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from sentexp.atomic import whole_file
from sentexp.bounded_yaml import loaded
from sentexp.checksums import quick_checksum_of
from sentexp.data.columns import text_columns
from sentexp.data.copies import CACHE_DIR, copies_folder
from sentexp.data.labels import LabelRules
from sentexp.data.raw_split import UNLABELLED_SPLIT, take_columns
from sentexp.data.reviews import Reviews, to_reviews
from sentexp.errors import SentexpError, did_you_mean, one_line

log = logging.getLogger(__name__)

PROBE_TIMEOUT = 10.0  # seconds, after which the Hub counts as unreachable; `datasets` would go on for half a minute

VALID_SPLITS = ("validation", "valid", "val", "dev")
"""Names by which valid_split=auto finds a data set's own validation split."""


CHECKSUMS = "checksums.json"
"""File with the checksums of the copies of a folder."""


def load(
    name: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    path: str | None = None,
    text_column: str | Sequence[str] = "text",
    label_column: str = "label",
    label_map: Mapping[object, object] | None = None,
    label_cuts: Sequence[float] | None = None,
    ignore_label_case: bool = False,
    drop_duplicates: bool = False,
    train_split: str = "train",
    valid_split: str | None = "auto",
    test_split: str = "test",
    unlabelled_split: str | None = None,
    labels: int | None = None,
    valid_fraction: float = 0.1,
    block: int = 1,
    limit: int | None = None,
    seed: int = 0,
    cache_dir: Path | str = CACHE_DIR,
) -> Reviews:
    """Load the dataset `name` from the Hub or, if `path` is given, from that folder of data files (README optional).

    >>> from sentexp.data.hub import load
    >>> reviews = load("stanfordnlp/imdb", valid_fraction=0.3)  # doctest: +SKIP

    Only the named splits are downloaded and read; of `unlabelled_split` the texts alone, which become the split
    unlabelled. See `to_reviews` for `labels` and `block`. `valid_split=auto` takes the dataset's own validation split;
    if it has none, or with None, part of the training split is used. The copy that `datasets` makes of a local folder
    is under `cache_dir`; what comes from the Hub is where HF_HOME says, for all programs. Without a network, an earlier
    download is used, with a warning.

    Raises ValueError without name and path, and SentexpError, in one line, for anything that the Hub, the folder or its
    content lacks.
    """
    if name is None and path is None:
        raise ValueError("name=None: expected OWNER/NAME of a dataset on the Hub, or path")
    wanted = {"train": train_split, "valid": valid_split, "test": test_split}
    splits = {role: split for role, split in wanted.items() if split is not None}
    if len(set(splits.values())) < len(splits):
        listed = ", ".join(splits.values())
        raise SentexpError(f"data.test_split={test_split}: expected different splits, got {listed}")
    if unlabelled_split is not None:
        splits[UNLABELLED_SPLIT] = unlabelled_split
    rules = LabelRules(label_map, label_cuts, ignore_label_case)
    with _quiet():
        if path is not None:
            source = str(path)
            tables = _from_folder(path, config, splits, copies_folder(cache_dir))
        else:
            assert name is not None
            tables, source = _from_hub(name, config, revision, splits)
        raw = {
            role: take_columns(
                table,
                # a copy of an earlier download does not tell its split
                f"{source}, split {table.split or role if splits[role] == 'auto' else splits[role]}",
                text_columns(text_column),
                None if role == UNLABELLED_SPLIT else label_column,
            )
            for role, table in tables.items()
        }
    return to_reviews(
        raw,
        source=source,
        valid_fraction=valid_fraction,
        limit=limit,
        seed=seed,
        label_rules=rules,
        drop_duplicates=drop_duplicates,
        labels=labels,
        block=block,
    )


def _from_folder(path: str, config: str | None, splits: dict[str, str], copies: Path) -> dict[str, datasets.Dataset]:
    folder = Path(path).expanduser()
    if not folder.exists():
        raise SentexpError(f"data.path={path}: no such folder")
    if not folder.is_dir():
        raise SentexpError(f"data.path={path}: expected a folder in the Hub's layout; data=files reads single files")
    if glob.has_magic(str(folder.absolute())):
        raise SentexpError(f"data.path={path}: `datasets` takes * ? [ ] as patterns; expected a path without them")
    for file, given in _named_files(folder):
        if "://" in given or Path(given).is_absolute() or ".." in Path(given).parts:
            raise SentexpError(
                f"data.path={path}: {file} names {given}, which is not in the folder; expected paths inside, since a "
                "local folder is read without a network"
            )
    # One folder for each source, so that the copies of what was there before can be told from this one.
    key = hashlib.blake2b(json.dumps([str(folder.absolute()), config, splits]).encode(), digest_size=8).hexdigest()
    copies = copies / key
    _remove_damaged(copies, path)
    try:
        tables = _prepare(str(folder), config, None, splits, called=f"data.path={path}", cache_dir=copies)
    except SentexpError:
        raise
    except Exception as error:
        raise SentexpError(f"data.path={path}: {_reason(error)}") from error
    used = {Path(file["filename"]).parent for table in tables.values() for file in table.cache_files}
    for stale in {file.parent for file in copies.rglob("*.arrow")} - used:
        shutil.rmtree(stale, ignore_errors=True)
    _remember(copies)
    return tables


def _named_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each text of the configurations that `datasets` finds in a folder, paths of data files among them, with
    the name of the file that it stands in. Raises SentexpError for a file that is no YAML."""
    for name in (datasets.config.REPOCARD_FILENAME, datasets.config.REPOYAML_FILENAME):
        try:
            text = (folder / name).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        if name.endswith(".md"):
            header = re.match(r"\s*---[\r\n]+(.*?)[\r\n]+---(?:[\r\n]|$)", text, re.DOTALL)
            text = header[1] if header is not None else ""
        try:
            values = loaded(text)
        except yaml.YAMLError as error:
            raise SentexpError(f"{folder / name}: not YAML ({one_line(error)})") from error
        configurations = values.get("configs") if isinstance(values, Mapping) else None
        yield from ((name, given) for given in _texts(configurations))


def _texts(value: Any) -> Iterator[str]:
    """Yield the paths among the values of a configuration: all texts of data_files and data_dir, others with ://."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("data_files", "data_dir"):
                yield from _paths(inner)
            else:
                yield from (text for text in _texts(inner) if "://" in text)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _paths(value: Any) -> Iterator[str]:
    """Yield the paths of `data_files`: a path, a list of them, either per split, or {split: ..., path: ...}."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, Mapping)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _paths(inner)


def _remove_damaged(copies: Path, path: str) -> None:
    """Remove the copies of a folder if one is not as it was written, with a warning; `datasets` checks nothing."""
    try:
        checksums = json.loads((copies / CHECKSUMS).read_bytes())
        damaged = [name for name, checksum in checksums.items() if quick_checksum_of(copies / name) != checksum]
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError):
        damaged = [CHECKSUMS]
    if damaged:
        log.warning("%s: damaged (not as written); reading %s anew", copies / damaged[0], path)
        shutil.rmtree(copies, ignore_errors=True)


def _remember(copies: Path) -> None:
    """Write the checksums of the copies, unless they are there already."""
    found = {str(file.relative_to(copies)): file for file in sorted(copies.rglob("*.arrow"))}
    if (copies / CHECKSUMS).exists() and json.loads((copies / CHECKSUMS).read_bytes()).keys() == found.keys():
        return
    with whole_file(copies / CHECKSUMS) as unfinished:
        unfinished.write_text(json.dumps({name: quick_checksum_of(file) for name, file in found.items()}))


def _from_hub(
    name: str, config: str | None, revision: str | None, splits: dict[str, str]
) -> tuple[dict[str, datasets.Dataset], str]:
    """Return the splits by role, and the name with the commit that was read."""
    note = _note_file(name, config, revision, splits)
    try:
        if datasets.config.HF_HUB_OFFLINE:
            raise ConnectionError("offline mode is on (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE)")
        commit = huggingface_hub.HfApi().dataset_info(name, revision=revision, timeout=PROBE_TIMEOUT).sha
    except GatedRepoError:
        raise SentexpError(
            f"data.name={name}: this dataset wants its terms accepted on its page and a token (`hf auth login`)"
        ) from None
    except RevisionNotFoundError:
        raise SentexpError(f"data.revision={revision}: no such branch, tag or commit of {name} on the Hub") from None
    except (RepositoryNotFoundError, huggingface_hub.errors.HFValidationError):
        raise SentexpError(
            f"data.name={name}: no such dataset on the Hub, or a private one; a local folder is data.path=FOLDER"
        ) from None
    except Exception as error:  # the kinds of network failure differ between versions of huggingface_hub
        copy, reason = _kept_copy(note, name, config, splits), _reason(error)
        if copy is None:
            raise SentexpError(
                f"data.name={name}: cannot reach the Hub at {huggingface_hub.constants.ENDPOINT} ({reason}), "
                "and no copy of an earlier download was found; data.path=FOLDER reads a local folder"
            ) from error
        log.warning("Cannot reach the Hub (%s): reading the copy of %s that was downloaded earlier", reason, name)
        return copy
    try:
        tables = _prepare(name, config, commit, splits, called=f"data.name={name}")
    except SentexpError:
        raise
    except Exception as error:
        raise SentexpError(f"data.name={name}: {_reason(error)}; data.path=FOLDER reads a local folder") from error
    source = f"{name}@{str(commit)[:8]}"
    files = {role: [file["filename"] for file in table.cache_files] for role, table in tables.items()}
    note.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(note) as unfinished:
        unfinished.write_text(json.dumps({"source": source, "files": files}), encoding="utf-8")
    return tables, source


def _prepare(
    where: str,
    config: str | None,
    revision: str | None,
    splits: dict[str, str],
    called: str,
    cache_dir: Path | None = None,
) -> dict[str, datasets.Dataset]:
    """Download if necessary, and return the splits of a folder or a Hub name by role, mapped into memory.

    `cache_dir` is where `datasets` keeps what it prepares; None is its own folder.
    """
    try:
        builder = datasets.load_dataset_builder(where, config, revision=revision, cache_dir=cache_dir)
    except ValueError as error:
        known = datasets.get_dataset_config_names(where, revision=revision)
        if config in known or (config is None and len(known) < 2):
            raise
        listed = f"expected one of {', '.join(known)}{did_you_mean(config or '', known)}"
        raise SentexpError(f"data.config={config or 'null'}: {called} has no such configuration; {listed}") from error
    files = {str(split): [str(file) for file in names] for split, names in (builder.config.data_files or {}).items()}
    splits = _resolved(splits, files)
    for role, split in splits.items():
        if split not in files:
            tail = did_you_mean(split, files)
            raise SentexpError(
                f"data.{role}_split={split}: {called} has no such split; its splits: {', '.join(files) or 'none'}{tail}"
            )
    unread = [split for split in files if split not in splits.values()]
    if unread:
        log.info("data: %s: not read: split %s", called.partition("=")[2], ", ".join(unread))
    # Named one by one: load_dataset would also fetch and convert the other splits (IMDB's 50,000 unlabelled reviews).
    tables = datasets.load_dataset(
        where,
        builder.config.name,
        revision=revision,
        data_files={split: files[split] for split in splits.values()},
        features=builder.info.features,
        cache_dir=cache_dir,
        verification_mode="no_checks",
    )
    return {role: tables[split] for role, split in splits.items()}


def _resolved(splits: dict[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the splits with the name that valid_split=auto stands for; without `valid` if none of them is known."""
    if splits.get("valid") != "auto":
        return splits
    others = {role: split for role, split in splits.items() if role != "valid"}
    own = next((name for name in VALID_SPLITS if name in known and name not in others.values()), None)
    return others if own is None else {**others, "valid": own}


def _note_file(name: str, config: str | None, revision: str | None, splits: dict[str, str]) -> Path:
    """Return our note of the files that hold these splits in the cache of `datasets`.

    Without a network, `datasets` cannot find them itself.
    """
    key = hashlib.blake2b(json.dumps([name, config, revision, splits]).encode(), digest_size=16).hexdigest()
    return Path(datasets.config.HF_DATASETS_CACHE) / "sentexp" / f"{key}.json"


def _kept_copy(
    note: Path, name: str, config: str | None, splits: dict[str, str]
) -> tuple[dict[str, datasets.Dataset], str] | None:
    """Return what an earlier call downloaded, or what any program did with `load_dataset`; None if there is neither."""
    try:
        kept: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        tables = {
            role: datasets.concatenate_datasets([datasets.Dataset.from_file(file) for file in files])
            for role, files in kept["files"].items()
        }
        return tables, kept["source"]
    except (OSError, ValueError):
        pass
    offline, datasets.config.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE, True
    try:
        whole = datasets.load_dataset(name, config)
        return {role: whole[split] for role, split in _resolved(splits, whole).items()}, name
    except Exception:
        return None
    finally:
        datasets.config.HF_HUB_OFFLINE = offline


def _reason(error: BaseException) -> str:
    """Return the error as one line: its cause, where `datasets` itself says only that something failed."""
    while isinstance(error, datasets.exceptions.DatasetGenerationError) and error.__cause__ is not None:
        error = error.__cause__
    return one_line(error)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries: no log lines, and progress bars only on a terminal."""
    verbosity = datasets.logging.get_verbosity(), huggingface_hub.logging.get_verbosity()
    bars = sys.stderr.isatty()
    hid = not bars and not datasets.utils.are_progress_bars_disabled()
    hid_hub = not bars and not huggingface_hub.utils.are_progress_bars_disabled()
    datasets.logging.set_verbosity_error()
    huggingface_hub.logging.set_verbosity_error()
    if hid:
        datasets.disable_progress_bars()
    if hid_hub:
        huggingface_hub.utils.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity[0])
        huggingface_hub.logging.set_verbosity(verbosity[1])
        if hid:
            datasets.enable_progress_bars()
        if hid_hub:
            huggingface_hub.utils.enable_progress_bars()
