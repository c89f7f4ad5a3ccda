from __future__ import annotations

import io
import json
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from sentexp.embedding.catalogue import Published
from sentexp.embedding.download import archive
from sentexp.errors import SentexpError

PUBLISHED = Published("vectors.zip", (50,), ())


def zipped(seed: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("vectors.50d.txt", Random(seed).randbytes(1_000_000))
    return packed.getvalue()


CONTENT = zipped(0)


class Site(ThreadingHTTPServer):
    """Serves `content` at any path; the fields say in which way it misbehaves. Keeps the Range of each request."""

    content = CONTENT
    etag: str | None = '"one"'
    status = 200
    ranges = True  # honours Range
    if_range = True  # honours If-Range
    promises = 0  # added to the length that it announces
    says_length = True
    breaks: list[int]  # after so many bytes of the first, second, ... answer
    asked: list[str | None]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, span = self.server, self.headers.get("Range")
        site.asked.append(span)
        if site.status != 200:
            self.send_error(site.status)
            return
        start = int(re.findall(r"\d+", span)[0]) if span and site.ranges else 0
        if site.if_range and self.headers.get("If-Range") not in (None, site.etag):
            start = 0
        if start >= len(site.content):
            self.send_error(416)
            return
        body = site.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
        if site.etag:
            self.send_header("ETag", site.etag)
        if site.says_length:
            self.send_header("Content-Length", str(len(body) + site.promises))
        self.end_headers()
        self.wfile.write(body[: site.breaks.pop(0)] if site.breaks else body)

    def log_message(self, *message: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Handler)
    server.breaks, server.asked = [], []
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def fetch(site: Site, folder: Path, **options: object) -> bytes:
    return archive(PUBLISHED, folder, bases=[site.base], pause=0, **options).read_bytes()  # type: ignore[arg-type]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("downloads/*") if path.suffix != ".lock"}


def test_a_file_is_downloaded_once_with_progress(site: Site, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None, str]] = []
    for _ in range(2):
        assert fetch(site, tmp_path, progress=lambda *call: calls.append(call)) == CONTENT
    assert site.asked == [None]
    assert files(tmp_path) == {"vectors.zip"}
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[-1] == (len(CONTENT), len(CONTENT), "downloading vectors.zip")


def test_a_transfer_that_breaks_off_is_taken_up_where_it_was(site: Site, tmp_path: Path) -> None:
    site.breaks = [400_000, 300_000]
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == [None, "bytes=400000-", "bytes=700000-"]


def interrupt_at(site: Site, folder: Path, size: int) -> None:
    """What Ctrl-C leaves behind after about `size` bytes."""

    def progress(done: int, total: int | None, what: str) -> None:
        if done >= size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(site, folder, progress=progress)
    assert any(name.endswith(".part") for name in files(folder))
    assert "vectors.zip" not in files(folder)


def test_an_interrupted_program_goes_on_at_its_next_start(site: Site, tmp_path: Path) -> None:
    interrupt_at(site, tmp_path, 500_000)
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked[0] is None
    assert re.fullmatch(r"bytes=[5-9]\d{5}-", site.asked[1] or "")


@pytest.mark.parametrize("if_range", [True, False], ids=["honours If-Range", "ignores If-Range"])
def test_parts_of_two_different_files_are_never_joined(site: Site, tmp_path: Path, if_range: bool) -> None:
    interrupt_at(site, tmp_path, 500_000)
    site.content, site.etag, site.if_range = zipped(1), '"two"', if_range
    assert fetch(site, tmp_path) == site.content


def test_without_any_tag_the_length_decides(site: Site, tmp_path: Path) -> None:
    site.etag = None
    interrupt_at(site, tmp_path, 500_000)
    site.content = zipped(1) + b"longer"
    assert fetch(site, tmp_path) == site.content


def test_a_server_that_ignores_ranges_starts_the_file_anew(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    interrupt_at(site, tmp_path, 500_000)
    assert fetch(site, tmp_path) == CONTENT


def test_a_part_longer_than_the_file_is_dropped(site: Site, tmp_path: Path) -> None:
    interrupt_at(site, tmp_path, 500_000)
    (part,) = tmp_path.glob("downloads/*.part")
    part.write_bytes(bytes(len(CONTENT) + 1))
    assert fetch(site, tmp_path) == CONTENT


def test_a_part_of_unknown_origin_is_dropped(site: Site, tmp_path: Path) -> None:
    interrupt_at(site, tmp_path, 500_000)
    (state,) = tmp_path.glob("downloads/*.part.json")
    state.write_text("{", encoding="utf-8")
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == [None, None]


def test_a_part_that_was_whole_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    interrupt_at(site, tmp_path, len(CONTENT))
    assert fetch(site, tmp_path) == CONTENT
    assert site.asked == [None]


def test_a_file_shorter_than_announced_is_refused(site: Site, tmp_path: Path) -> None:
    site.promises = 1000
    with pytest.raises(SentexpError, match=r"broke off after [\d,]+ of [\d,]+ bytes.*embedding\.path=FILE"):
        fetch(site, tmp_path)
    assert "vectors.zip" not in files(tmp_path)


def test_a_page_instead_of_an_archive_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.content = b"<html>please log in</html>"
    with pytest.raises(SentexpError, match="what came is not a zip archive"):
        fetch(site, tmp_path)
    site.content, site.etag = CONTENT, '"two"'
    assert fetch(site, tmp_path) == CONTENT


def test_a_break_that_no_length_betrays_is_seen_by_the_archive(site: Site, tmp_path: Path) -> None:
    site.says_length, site.breaks = False, [400_000]
    with pytest.raises(SentexpError, match="what came is not a zip archive"):
        fetch(site, tmp_path)


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_of_the_server_is_one_line_with_the_address(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    with pytest.raises(SentexpError, match=rf"{site.base}vectors\.zip \(HTTP {status} .*embedding\.path=FILE") as said:
        fetch(site, tmp_path)
    assert "\n" not in str(said.value)
    assert site.asked == [None]  # said at once


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_no_network_is_said_with_every_address_tried(tmp_path: Path) -> None:
    bases = [f"http://127.0.0.1:{closed_port()}/", "http://nowhere.invalid/"]
    with pytest.raises(SentexpError) as said:
        archive(PUBLISHED, tmp_path, bases=bases, pause=0)
    assert all(f"{base}vectors.zip (" in str(said.value) for base in bases)
    assert "\n" not in str(said.value)


def test_the_next_address_is_tried_and_shares_no_parts(site: Site, tmp_path: Path) -> None:
    interrupt_at(site, tmp_path, 500_000)
    site.asked.clear()
    mirror = f"{site.base}mirror/"
    bases = [f"http://127.0.0.1:{closed_port()}/", mirror]
    assert archive(PUBLISHED, tmp_path, bases=bases, pause=0).read_bytes() == CONTENT
    assert site.asked == [None]
    assert files(tmp_path) == {"vectors.zip"}


def test_of_two_at_once_one_downloads(site: Site, tmp_path: Path) -> None:
    got: list[bytes] = []
    both = [threading.Thread(target=lambda: got.append(fetch(site, tmp_path))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert got == [CONTENT, CONTENT]
    assert site.asked == [None]


def test_a_full_disk_is_said_before_it_is_full(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(SentexpError, match=r"needs 0\.00 GB, 0\.00 GB are free"):
        fetch(site, tmp_path)


def test_a_folder_that_cannot_be_written_is_said_so(site: Site, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(SentexpError, match=r"cache_dir=.*cache: cannot be written"):
        fetch(site, tmp_path / "cache")


def test_the_part_remembers_its_file(site: Site, tmp_path: Path) -> None:
    interrupt_at(site, tmp_path, 500_000)
    (state,) = tmp_path.glob("downloads/*.part.json")
    assert json.loads(state.read_text()) == {"etag": '"one"', "modified": None, "total": len(CONTENT)}
