"""Downloads a published archive once: with progress, resumed where it broke off, checked before it takes its name."""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sentexp.embedding.catalogue import Published
from sentexp.embedding.vectors import Progress
from sentexp.errors import SentexpError

log = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes
TIMEOUT = 30  # seconds without a byte
FRUITLESS = 3  # attempts in a row that brought nothing, after which an address is given up


class _FailedError(Exception):
    """This address does not yield the file; the message says why. Another address may."""


@dataclass(frozen=True)
class _Version:
    """What a server said about the file that a part belongs to: two parts are joined only if all of it agrees."""

    etag: str | None
    modified: str | None
    total: int | None

    def contradicts(self, other: _Version) -> bool:
        """Whether they are not of one file, as far as both say; a partial answer may leave things out."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(mine != theirs for mine, theirs in pairs if mine is not None and theirs is not None)

    @property
    def validator(self) -> str | None:
        """For If-Range, which takes no weak tags."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


def archive(
    published: Published,
    cache_dir: Path,
    progress: Progress | None = None,
    bases: Sequence[str] | None = None,
    pause: float = 1.0,
) -> Path:
    """The file of `published` in `cache_dir`, downloaded from the first of `bases` that yields it if it is not there.

    A transfer that breaks off is taken up again after `pause` seconds, and by the next call if the program ends. Of two
    processes one downloads and the other waits. Raises SentexpError if no address yields a whole zip archive or the
    disk is full.
    """
    path = cache_dir / "downloads" / published.file
    if path.exists():
        return path
    with _only_one(path, cache_dir):
        if path.exists():
            return path
        failures = []
        for base in published.bases if bases is None else bases:
            url = f"{base}{published.file}"
            try:
                part = _fetch(url, path, progress, pause)
            except _FailedError as error:
                log.info("%s: %s", url, error)
                failures.append(f"{url} ({error})")
            else:
                os.replace(part, path)
                for leftover in path.parent.glob(f"{path.name}.*.part*"):
                    leftover.unlink()
                return path
    raise SentexpError(f"cannot download {' or '.join(failures)}; expected a network, or a file: embedding.path=FILE")


@contextmanager
def _only_one(path: Path, cache_dir: Path) -> Iterator[None]:
    lock = FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for another process that is downloading %s", path.name)
            lock.acquire()
    except OSError as error:
        raise SentexpError(f"cache_dir={cache_dir}: cannot be written ({error.strerror})") from error
    try:
        yield
    finally:
        lock.release()


def _fetch(url: str, path: Path, progress: Progress | None, pause: float) -> Path:
    """The whole, checked file under a name of its own, tried again for as long as attempts bring something."""
    # a part a URL: what one server sent is never continued from another
    part = path.with_name(f"{path.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
    fruitless, moved = 0, False
    while True:
        before = _size(part)
        try:
            _transfer(url, part, f"downloading {path.name}", progress)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
        except urllib.error.URLError as error:
            reason = str(getattr(error.reason, "strerror", None) or error.reason)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        else:
            break
        fruitless = 0 if _size(part) > before else fruitless + 1
        moved = moved or not fruitless
        if not moved or fruitless >= FRUITLESS:  # no network at all is said at once
            raise _FailedError(reason)
        time.sleep(pause * (1 + fruitless))
    try:
        zipfile.ZipFile(part).close()  # reads the directory at its end; its sums are checked when it is read
    except zipfile.BadZipFile as error:
        part.unlink()
        raise _FailedError("what came is not a zip archive") from error
    return part


def _transfer(url: str, part: Path, what: str, progress: Progress | None) -> None:
    """Bring `part` to its full length. Raises OSError or HTTPException where the network does; what came stays."""
    have, known = _size(part), _load(part)
    if known is None or (known.total is None and known.validator is None):
        have = 0
    elif have and have == known.total:
        return
    headers = {"User-Agent": "sentexp", "Accept-Encoding": "identity"}
    if have and known:
        headers["Range"] = f"bytes={have}-"
        if known.validator:
            headers["If-Range"] = known.validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            part.unlink()
            return _transfer(url, part, what, progress)
        raise
    with response:
        version, start = _described(response)
        if start and (start != have or known is None or version.contradicts(known)):  # a server that ignores If-Range
            part.unlink()
            response.close()
            return _transfer(url, part, what, progress)
        _write(response, part, start, version, what, progress)


def _described(response: Any) -> tuple[_Version, int]:
    """Which file it is, and the byte from which on it is sent: 0 unless the server honoured the range."""
    length = response.headers.get("Content-Length")
    total, start = int(length) if length else None, 0
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if span is None:
            raise http.client.HTTPException("a partial answer that does not say which part it is")
        start, total = int(span[1]), None if span[2] == "*" else int(span[2])
    return _Version(response.headers.get("ETag"), response.headers.get("Last-Modified"), total), start


def _write(response: Any, part: Path, start: int, version: _Version, what: str, progress: Progress | None) -> None:
    total, done = version.total, start
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - start > free:
        raise SentexpError(f"{part}: needs {(total - start) / 1e9:.2f} GB, {free / 1e9:.2f} GB are free")
    with ExitStack() as stack:
        with _writing(part):
            file = stack.enter_context(open(part, "ab" if start else "wb"))
            if not start:  # only now, as the old bytes are gone
                _state(part).write_text(json.dumps(asdict(version)), encoding="utf-8")
        while chunk := response.read(CHUNK):
            with _writing(part):
                file.write(chunk)
                file.flush()
            done += len(chunk)
            if progress is not None:
                progress(done, total, what)
    if total is not None and done != total:
        if done > total:
            part.unlink()
        raise http.client.HTTPException(f"broke off after {done:,} of {total:,} bytes")


@contextmanager
def _writing(part: Path) -> Iterator[None]:
    """Tells trouble with the disk from trouble with the network, which is an OSError as well."""
    try:
        yield
    except OSError as error:
        raise SentexpError(f"{part}: cannot be written ({error.strerror})") from error


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _state(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _load(part: Path) -> _Version | None:
    try:
        return _Version(**json.loads(_state(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # then the part is nobody's, and starts anew
