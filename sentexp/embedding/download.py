"""Downloads a published archive of word vectors once, and keeps it only if it is whole.

huggingface_hub resumes a transfer that breaks off; pooch does not. Once the program itself has stopped, both start from
the beginning. A file from the Hub is checked against its SHA-256; of any other file only the length and the directory
of the zip archive are checked here, and the checksums inside the archive when it is read.
"""

from __future__ import annotations

import http
import logging
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import huggingface_hub
import pooch
from huggingface_hub.utils import tqdm

from sentexp.embedding.catalogue import Published
from sentexp.errors import SentexpError, one_line
from sentexp.locks import held
from sentexp.terminal import ProgressCallback

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a byte
BYTES_PER_REPORT = 1 << 18


def archive(
    published: Published, cache_dir: Path, progress: ProgressCallback | None = None, endpoint: str | None = None
) -> Path:
    """Return the path of the archive, which is downloaded to `cache_dir` unless it is there or in the Hub's own cache.

    Of two processes, one downloads and the other waits. `endpoint` is another address of the Hub; None takes that of
    the environment (HF_ENDPOINT) or huggingface.co.

    Raises SentexpError if the whole archive cannot be fetched or written.
    """
    path = cache_dir / "downloads" / published.file
    if path.exists():
        return path
    if published.on_hub:
        kept = huggingface_hub.try_to_load_from_cache(published.source, published.file)
        if isinstance(kept, str):
            return Path(kept)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with held(Path(f"{path}.lock"), waiting=f"waiting for another process that is downloading {path.name}"):
            if not path.exists():
                _download(published, path, progress, endpoint)
    except OSError as error:
        raise SentexpError(f"cache_dir={cache_dir}: cannot be written ({error.strerror})") from error
    return path


def _download(published: Published, path: Path, progress: ProgressCallback | None, endpoint: str | None) -> None:
    folder = path.with_name(f"{path.name}.unfinished")  # huggingface_hub puts files of its own beside the archive
    shutil.rmtree(folder, ignore_errors=True)  # left there by a program that was killed
    folder.mkdir()
    unfinished, bar = folder / path.name, _bar_class(progress, f"downloading {path.name}")
    url = f"{published.source}{path.name}"
    if published.on_hub:
        url = huggingface_hub.hf_hub_url(published.source, path.name, endpoint=endpoint)
    try:
        if published.on_hub:
            # asked first, since hf_hub_download goes on trying for minutes without a network and only warns of no space
            told = huggingface_hub.get_hf_file_metadata(url, timeout=CONNECT_TIMEOUT, endpoint=endpoint)
            _check_space(folder, told.size or 0)
            huggingface_hub.hf_hub_download(
                published.source, path.name, local_dir=folder, endpoint=endpoint, tqdm_class=bar
            )
            # the Hub's tag of a large file is its SHA-256, which huggingface_hub compares only in Xet's transfers
            if re.fullmatch("[0-9a-f]{64}", told.etag or "") and pooch.file_hash(str(unfinished)) != told.etag:
                raise ValueError("what came has another SHA-256 than the file on the Hub")
        else:
            fetch = pooch.HTTPDownloader(bar(), BYTES_PER_REPORT, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
            fetch(url, str(unfinished), None)
        zipfile.ZipFile(unfinished).close()
    except SentexpError:
        raise
    except Exception as error:  # the kinds of network failure differ between versions of the libraries
        expected = "expected a network, or a file: embedding.path=FILE"
        raise SentexpError(f"cannot download {url} ({_reason(error)}); {expected}") from error
    else:
        os.replace(unfinished, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise SentexpError(f"{folder}: needs {size / 1e9:.2f} GB, {free / 1e9:.2f} GB are free")


def _reason(error: BaseException) -> str:
    """Return what went wrong, from the server's answer or the innermost cause."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {http.HTTPStatus(response.status_code).phrase}"
    if isinstance(error, zipfile.BadZipFile):
        return "what came is not a zip archive"
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return one_line(error)


def _bar_class(progress: ProgressCallback | None, what: str) -> type[tqdm]:
    """Return a class of invisible bars for huggingface_hub and pooch, which pass each update on to `progress`."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})
            self.done = 0

        def __bool__(self) -> bool:
            return True  # tqdm's own depends on the total, and pooch takes it for "no bar"

        def update(self, n: float | None = 1) -> None:
            self.done += int(n or 0)
            if self.total:
                self.done = min(self.done, self.total)  # pooch counts each chunk as a full one
            if progress is not None:
                progress(self.done, self.total or None, what)

        def reset(self, total: float | None = None) -> None:
            """Go on counting: pooch resets a bar only to fill it."""

        # huggingface_hub takes a bar with these two for the written and the transferred bytes of a Xet download alike
        def update_transfer(self, n: float | None = 1) -> None: ...

        def set_transfer_postfix_str(self, *args: Any, **options: Any) -> None: ...

    return Bar
