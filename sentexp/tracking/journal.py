"""Keeps what a run records in a file of its output folder until the store has it.

A store that is away costs neither the training nor a point: each record is appended to the journal, sent in order when
the store answers again, and at the latest by `sentexp record FOLDER`.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

from sentexp.errors import SentexpError, one_line
from sentexp.foreign import refuse_foreign
from sentexp.locks import held
from sentexp.model_folder import read_configs
from sentexp.redact import lacks_password, without_passwords
from sentexp.servers import sent_passwords
from sentexp.tracking.interface import Location, Run
from sentexp.tracking.store import brief_patience

log = logging.getLogger(__name__)

FILE = "unrecorded.jsonl"
"""Name of the journal: how the run began, then one record per line. It is gone once the store has all of it."""

FIRST_WAIT = 10.0
"""Seconds between an attempt that failed and the next one, at least."""

WAIT_SHARE = 20
"""How many times longer than a failed attempt the wait after it is, so that a training loses at most 5 % to them."""

Record = dict[str, Any]
"""The name of a method of Run, under `call`, and its arguments."""


class StoredRun(Run, Protocol):
    """A run in a store, as MlflowTracker starts it."""

    def has_model(self, folder: Path) -> bool:
        """Return True if the run has recorded the model in `folder`, and not one of an earlier epoch."""

    def register_model(self) -> None:
        """Make the recorded model a version of the registered one, unless it is one already."""

    def end(self, status: str, log_file: Path | None) -> None:
        """Set the run's final status and record the file with its log."""


class StartsRuns(Protocol):
    """MlflowTracker."""

    def start(self, *, parent_run_id: str | None, name: str | None, key: str | None) -> StoredRun:
        """Start a run, or continue the one that was started with `key`."""


class JournaledRun:
    """A run that goes on whatever its store does; see Run.

    `begun`, the first line of the journal, has the arguments of MlflowTracker under `tracker`, those of its `start`
    under `run`.
    """

    def __init__(self, run: StoredRun, folder: Path, begun: Mapping[str, Any]) -> None:
        self._run = run
        self._folder = folder.absolute()
        self._pending: deque[Record] = deque()
        self._next_attempt = 0.0
        self._told = False
        self._journal = _Journal(self._folder / FILE)
        self._journal.begin(dict(begun))

    def log_config(
        self, config: Mapping[str, Any], overrides: Sequence[str] = (), choices: Mapping[str, str] | None = None
    ) -> None:
        self._add("log_config", config=config, overrides=list(overrides), choices=dict(choices or {}))

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._add("log_params", params=params)

    def log_dataset(self, name: str, split: str, digest: str, source: str, rows: int) -> None:
        self._add("log_dataset", name=name, split=split, digest=digest, source=source, rows=rows)

    def log_environment(self, environment: Mapping[str, Any]) -> None:
        self._add("log_environment", environment=environment)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, at: int | None = None) -> None:
        numbers = {name: float(value) for name, value in metrics.items()}
        self._add("log_metrics", metrics=numbers, step=step, at=at or int(time.time() * 1000))

    def log_points(self, name: str, points: Sequence[tuple[int, float, int]]) -> None:
        self._add("log_points", name=name, points=[list(point) for point in points])

    def goes_on(self) -> bool:
        return self._run.goes_on()

    def last_step(self, name: str) -> int:
        return self._run.last_step(name)

    def describe(self, text: str) -> None:
        self._add("describe", text=text)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._add("set_tags", tags=tags)

    def log_text(self, text: str, file: str) -> None:
        self._add("log_text", text=text, file=file)

    def log_folder(self, folder: Path, name: str) -> None:
        self._add("log_folder", folder=os.path.relpath(folder, self._folder), name=name)

    def log_model(self, folder: Path) -> None:
        self._add("log_model", folder=os.path.relpath(folder, self._folder))

    def end(self, status: str, log_file: Path | None) -> None:
        """End the run; if the store cannot be told, say how that is done later."""
        file = None if log_file is None else os.path.relpath(log_file, self._folder)
        self._next_attempt = 0.0
        self._add("end", status=status, log_file=file)
        if self._pending:
            self._journal.release()
            log.warning(
                "tracking: %d records wait; record them with: sentexp record %s", len(self._pending), self._folder
            )
        else:
            self._journal.remove()

    def end_child(self, run_id: str, reason: str) -> None:
        self._run.end_child(run_id, reason)

    def add_failed_child(self, name: str, reason: str) -> None:
        self._run.add_failed_child(name, reason)

    def end_children(self, reason: str) -> None:
        self._run.end_children(reason)

    def location(self) -> Location | None:
        return self._run.location()

    def _add(self, call: str, **arguments: Any) -> None:
        record = {"call": call, **without_passwords(arguments)}
        self._journal.append(record)
        self._pending.append(record)
        if time.monotonic() >= self._next_attempt:
            self._send()

    def _send(self) -> None:
        """Send what is pending, in order, until the store fails."""
        began = time.monotonic()
        try:
            with brief_patience():
                while self._pending:
                    _replay(self._run, self._pending[0], self._folder)
                    self._pending.popleft()
            if self._told:
                log.info("tracking: the store answers again; all is recorded")
            self._told = False
        except SentexpError as error:
            took = time.monotonic() - began
            self._next_attempt = time.monotonic() + max(FIRST_WAIT, WAIT_SHARE * took)
            if not self._told:
                log.warning("tracking: %s; the run goes on, and keeps its records in %s", error, self._folder / FILE)
            self._told = True


def refuse_another(folder: Path, key: str) -> None:
    """Raise SentexpError if the output folder of a run holds the journal of another one than that of `key`."""
    path = folder / FILE
    if not path.exists():
        return
    begun = next(_read(path), {})
    if not isinstance(begun, dict) or begun.get("run", {}).get("key") != key:
        raise SentexpError(
            f"{path}: what an earlier run in this folder has not recorded; expected another folder, or "
            f"`sentexp record {folder}` first"
        )


def send_waiting(run: StoredRun, folder: Path) -> None:
    """Record what the journal in the folder of a run that goes on holds of it, all but its end; remove the journal.

    Raises SentexpError as `record_folder` does.
    """
    path = folder / FILE
    if not path.exists():
        return
    with _held(folder / FILE):
        records = _read(path)
        next(records, None)
        # the end is still to come, and with it the model, which may name code of the user's own
        _replay_all(run, (one for one in records if one["call"] not in ("log_model", "end")), path, trust=False)
        path.unlink()


class _Journal:
    """A file of JSON lines. If it cannot be written, that is told once: the records are in memory all the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = ExitStack()
        self._told = False

    def begin(self, begun: Record) -> None:
        """Write how the run begins."""
        self.append(begun)
        with suppress(OSError, SentexpError):
            self._held.enter_context(_held(self._path))

    def append(self, record: Record) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, default=str) + "\n")
        except OSError as error:
            if not self._told:
                log.warning("tracking: no journal is kept: %s", one_line(error))
            self._told = True

    def remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()
        self.release()

    def release(self) -> None:
        """Let `sentexp record` take the journal."""
        self._held.close()


def _held(path: Path) -> AbstractContextManager[None]:
    """Hold the journal at `path` inside the block, as its run does while it writes it. Raises SentexpError then."""
    refused = f"{path.parent}: the run goes on; expected one that has ended"
    return held(path.with_name(f".{path.name}.lock"), refused=refused)


def record_folder(
    folder: Path, tracker: Callable[..., StartsRuns], uri: str | None = None, *, trust: bool = False
) -> Location | None:
    """Record what the journal in a run's output folder holds, in the run's own store or at `uri`; remove the journal.

    Records that the store has already change nothing. A run without an end ends as KILLED. Raises SentexpError for a
    folder without a journal, for one that is damaged, if the store fails, and without `trust` for a model that names
    code outside of this package, and for a store that would be sent a password of the user's.
    """
    path = folder / FILE
    if not path.is_file():
        raise SentexpError(f"{path}: no such file; expected the output folder of a run that its store did not take")
    with _held(folder / FILE):
        location = _record(path, tracker, uri, trust)
        path.unlink()
    return location


def _record(path: Path, tracker: Callable[..., StartsRuns], uri: str | None, trust: bool) -> Location | None:
    records = _read(path)
    begun = next(records, {})
    try:
        address = uri or begun["tracker"].get("uri")
        for sent in () if uri or trust else sent_passwords("tracking.uri", address):
            raise SentexpError(f"{path}: {sent.refusal('--tracking-uri URI, or --trust')}")
        if lacks_password(str(address)):
            raise SentexpError(f"{path}: its store has a password, which is not kept; expected --tracking-uri URI")
        run = tracker(**{**begun["tracker"], "uri": address}).start(**begun["run"])
    except (KeyError, TypeError, AttributeError) as error:
        raise SentexpError(f"{path}:1: damaged ({one_line(error)}); expected how the run began") from error
    if not _replay_all(run, records, path, trust):
        run.end("KILLED", None)
    return run.location()


def _replay_all(run: StoredRun, records: Iterable[Record], path: Path, trust: bool) -> bool:
    """Send the records behind the first line of the journal at `path`. Returns True if the run's end is among them."""
    ended = False
    for number, record in enumerate(records, 2):
        if record["call"] == "log_model" and not trust:
            for config in read_configs(_inside(path.parent, record.get("folder"))):
                refuse_foreign(config)
        try:
            _replay(run, record, path.parent)
        except (TypeError, AttributeError, ValueError) as error:  # other arguments than the call has
            raise SentexpError(f"{path}:{number}: damaged ({one_line(error)}); expected a record") from error
        ended = record["call"] == "end"
    return ended


def _read(path: Path) -> Iterator[Record]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise SentexpError(f"{path}: damaged ({one_line(error)}); expected records") from error
    for number, line in enumerate(lines[:-1], 1):  # what follows the last line end was being written in a crash
        try:
            record = json.loads(line)
            if number > 1 and record["call"] not in CALLS:
                raise ValueError(record["call"])
        except (ValueError, KeyError, TypeError) as error:
            raise SentexpError(f"{path}:{number}: damaged ({one_line(error)}); expected a record") from None
        yield record


CALLS = (
    "log_config", "log_params", "log_dataset", "log_environment", "log_metrics", "log_points", "describe", "set_tags",
    "log_text", "log_folder", "log_model", "end",
)  # fmt: skip
"""Methods of StoredRun that a journal may name."""


def _replay(run: StoredRun, record: Record, folder: Path) -> None:
    arguments = {name: value for name, value in record.items() if name != "call"}
    for name in ("folder", "log_file"):  # relative, so that the output folder can be moved
        if arguments.get(name) is not None:
            arguments[name] = _inside(folder, arguments[name])
    if record["call"] == "log_model" and run.has_model(arguments["folder"]):
        run.register_model()  # which may be what failed
        return
    getattr(run, record["call"])(**arguments)


def _inside(folder: Path, given: Any) -> Path:
    """Return a path of a record, relative to the run's folder. Raises SentexpError for one outside of it."""
    found = (folder / str(given)).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise SentexpError(f"{folder / FILE}: names {given}, outside of the run's folder; expected a file in it")
    return found
