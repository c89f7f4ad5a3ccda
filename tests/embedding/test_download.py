from __future__ import annotations

import hashlib
import io
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import huggingface_hub
import pooch
import pytest

from sentexp.embedding import download
from sentexp.embedding.catalogue import Published
from sentexp.embedding.download import archive
from sentexp.errors import SentexpError

ON_HUB = Published("vectors.zip", (50,), "someone/vectors")


def zipped(seed: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("vectors.50d.txt", Random(seed).randbytes(1_000_000))
    return packed.getvalue()


CONTENT = zipped(0)


class Site(ThreadingHTTPServer):
    """Serves `content` at any path, as the Hub does; the fields say how it misbehaves. Keeps the Range of each GET."""

    content = CONTENT
    status = 200
    is_hub = True  # sends the headers that tell a Hub
    ranges = True  # honours Range
    promises = 0  # added to the length that it announces
    says_length = True
    breaks: list[int]  # after so many bytes of the first, second, ... answer
    after_break: bytes | None = None  # the content from then on
    asked: list[str | None]
    heads = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_HEAD(self) -> None:
        self.server.heads += 1
        self.begin(self.server.content, 0)

    def do_GET(self) -> None:
        site, span = self.server, self.headers.get("Range")
        site.asked.append(span)
        start = int(re.findall(r"\d+", span)[0]) if span and site.ranges else 0
        body = site.content[start:]
        if self.begin(body, start):
            self.wfile.write(body[: site.breaks.pop(0)] if site.breaks else body)
            if site.after_break is not None:
                site.content = site.after_break

    def begin(self, body: bytes, start: int) -> bool:
        site = self.server
        if site.status != 200 or not body:
            self.send_error(site.status if site.status != 200 else 416)
            return False
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
        if site.is_hub:
            self.send_header("ETag", f'"{hashlib.sha256(site.content).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        if site.says_length:
            self.send_header("Content-Length", str(len(body) + site.promises))
        self.end_headers()
        return True

    def log_message(self, *message: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # before it resumes
    server = Site(("127.0.0.1", 0), Handler)
    server.breaks, server.asked = [], []
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


Fetch = Callable[..., bytes]
WAYS = ["hub", "web"]


@pytest.fixture(params=WAYS)
def fetch(request: pytest.FixtureRequest, site: Site) -> Fetch:
    """Downloads to a folder from the stand-in for the Hub, or from a folder on the web."""
    return from_hub(site) if request.param == "hub" else from_web(site)


def from_hub(site: Site) -> Fetch:
    return lambda folder, **options: archive(ON_HUB, folder, endpoint=site.base, **options).read_bytes()


def from_web(site: Site) -> Fetch:
    published = Published("vectors.zip", (50,), f"{site.base}/files/")
    return lambda folder, **options: archive(published, folder, **options).read_bytes()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("downloads/*") if path.suffix != ".lock"}


def test_a_file_is_downloaded_once_with_progress(site: Site, fetch: Fetch, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None, str]] = []
    for _ in range(2):
        assert fetch(tmp_path, progress=lambda *call: calls.append(call)) == CONTENT
    assert site.asked == [None]
    assert files(tmp_path) == {"vectors.zip"}
    assert len(calls) > 3
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[-1] == (len(CONTENT), len(CONTENT), "downloading vectors.zip")


def test_a_file_that_is_there_is_used_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "vectors.zip").write_bytes(CONTENT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert archive(ON_HUB, tmp_path).read_bytes() == CONTENT
    assert files(tmp_path) == {"vectors.zip"}


def test_a_copy_in_the_cache_of_the_hub_is_used_where_it_is(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    there = huggingface_hub.hf_hub_download(ON_HUB.source, ON_HUB.file, endpoint=site.base)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert archive(ON_HUB, tmp_path / "ours") == Path(there)
    assert not (tmp_path / "ours").exists()


def test_the_address_of_the_hub_is_taken_from_the_environment(site: Site, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sentexp.embedding import catalogue, download\n"
        "download.archive(catalogue.GLOVE['6B'], Path(sys.argv[1]))"
    )
    environment = {"HF_ENDPOINT": site.base, "HF_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    assert files(tmp_path) == {"glove.6B.zip"}
    assert (tmp_path / "downloads" / "glove.6B.zip").read_bytes() == CONTENT


def test_a_transfer_from_the_hub_that_breaks_off_is_taken_up_where_it_was(site: Site, tmp_path: Path) -> None:
    site.breaks = [400_000, 300_000]
    assert from_hub(site)(tmp_path) == CONTENT
    assert site.asked == [None, "bytes=400000-", "bytes=700000-"]


def test_a_transfer_from_the_web_that_breaks_off_is_said_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.breaks = [400_000]
    with pytest.raises(SentexpError, match=r"vectors\.zip \(IncompleteRead: .*400000 bytes read.*embedding\.path=FILE"):
        from_web(site)(tmp_path)
    assert files(tmp_path) == set()
    assert from_web(site)(tmp_path) == CONTENT


def interrupt_at(fetch: Fetch, folder: Path, size: int) -> None:
    """Press Ctrl-C after about `size` bytes."""

    def progress(done: int, total: int | None, what: str) -> None:
        if done >= size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(folder, progress=progress)


def test_an_interrupted_program_leaves_nothing_and_the_next_one_fetches_it_all(
    site: Site, fetch: Fetch, tmp_path: Path
) -> None:
    interrupt_at(fetch, tmp_path, 500_000)
    assert files(tmp_path) == set()
    assert fetch(tmp_path) == CONTENT
    assert site.asked == [None, None]


@pytest.mark.parametrize("is_hub", [True, False], ids=["tags", "no tags"])
def test_parts_of_two_different_files_are_never_joined(site: Site, tmp_path: Path, is_hub: bool) -> None:
    site.is_hub = is_hub
    fetch = from_hub(site) if is_hub else from_web(site)
    interrupt_at(fetch, tmp_path, 500_000)
    site.content = zipped(1)
    assert fetch(tmp_path) == site.content


def test_a_file_of_the_hub_that_changes_while_it_comes_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.breaks, site.after_break = [400_000], zipped(1)
    with pytest.raises(SentexpError, match=r"another SHA-256 than the file on the Hub\); .*embedding\.path=FILE"):
        from_hub(site)(tmp_path)
    assert files(tmp_path) == set()
    assert from_hub(site)(tmp_path) == site.content


def test_a_server_that_ignores_ranges_starts_the_file_anew(site: Site, tmp_path: Path) -> None:
    site.ranges, site.breaks = False, [400_000]
    assert from_hub(site)(tmp_path) == CONTENT
    assert site.asked == [None, "bytes=400000-"]


@pytest.mark.parametrize("left", [CONTENT[:500_000], bytes(len(CONTENT) + 1), zipped(1)], ids=["cut", "long", "other"])
def test_what_a_killed_program_left_is_dropped(site: Site, fetch: Fetch, tmp_path: Path, left: bytes) -> None:
    folder = tmp_path / "downloads" / "vectors.zip.unfinished"
    folder.mkdir(parents=True)
    (folder / "vectors.zip").write_bytes(left)
    assert fetch(tmp_path) == CONTENT
    assert files(tmp_path) == {"vectors.zip"}


def test_a_file_shorter_than_announced_is_refused(site: Site, fetch: Fetch, tmp_path: Path) -> None:
    site.promises = 1000
    broke_off = r"IncompleteRead: .*1000 more|RemoteProtocolError: .*received \d+ bytes, expected \d+"
    with pytest.raises(SentexpError, match=rf"\(({broke_off}).*embedding\.path=FILE") as said:
        fetch(tmp_path)
    assert "\n" not in str(said.value)
    assert files(tmp_path) == set()


def test_a_page_instead_of_an_archive_is_refused_and_not_kept(site: Site, fetch: Fetch, tmp_path: Path) -> None:
    site.content = b"<html>please log in</html>"
    with pytest.raises(SentexpError, match="what came is not a zip archive"):
        fetch(tmp_path)
    assert files(tmp_path) == set()
    site.content = CONTENT
    assert fetch(tmp_path) == CONTENT


def test_a_page_of_somebody_else_is_not_taken_for_the_hub(site: Site, tmp_path: Path) -> None:
    site.content, site.is_hub = b"<html>please log in</html>", False
    with pytest.raises(SentexpError, match="does not seem to be served by a Hugging Face Hub endpoint") as said:
        from_hub(site)(tmp_path)
    assert "\n" not in str(said.value)
    assert (site.asked, files(tmp_path)) == ([], set())


def test_a_break_that_no_length_betrays_is_seen_by_what_came(site: Site, fetch: Fetch, tmp_path: Path) -> None:
    site.says_length, site.breaks = False, [400_000]
    with pytest.raises(SentexpError, match=r"what came (is not a zip archive|has another SHA-256)"):
        fetch(tmp_path)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_of_the_server_is_one_line_with_the_address(
    site: Site, fetch: Fetch, tmp_path: Path, status: int
) -> None:
    site.status = status
    expected = rf"{site.base}/.*vectors\.zip \(HTTP {status} .*embedding\.path=FILE"
    with pytest.raises(SentexpError, match=expected) as said:
        fetch(tmp_path)
    assert "\n" not in str(said.value)
    assert len(site.asked) + site.heads == 1  # said at once


def unreachable(way: str, base: str, folder: Path) -> None:
    if way == "hub":
        archive(ON_HUB, folder, endpoint=base)
    else:
        archive(Published("vectors.zip", (50,), f"{base}/"), folder)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "nowhere.invalid"])
@pytest.mark.parametrize("way", WAYS)
def test_no_network_is_said_at_once_with_the_address(tmp_path: Path, host: str, way: str) -> None:
    base = f"http://{host}".format(port=closed_port())
    begun = time.monotonic()
    with pytest.raises(SentexpError) as said:
        unreachable(way, base, tmp_path)
    assert re.match(rf"cannot download {base}/.*vectors\.zip \(.*embedding\.path=FILE$", str(said.value))
    assert "\n" not in str(said.value)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_never_answers_is_given_up_at_the_time_limit(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "CONNECT_TIMEOUT", 0.2)
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.2)
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SentexpError, match=rf"cannot download {base}/.*\(.*[Tt]ime.*embedding\.path=FILE"):
            unreachable(way, base, tmp_path)
    assert time.monotonic() - begun < 5


def test_offline_mode_is_named_and_nobody_is_asked(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SentexpError, match=r"offline mode is enabled.*HF_HUB_OFFLINE.*embedding\.path=FILE") as said:
        from_hub(site)(tmp_path)
    assert "\n" not in str(said.value)
    assert (site.asked, site.heads) == ([], 0)


def test_of_two_at_once_one_downloads(site: Site, fetch: Fetch, tmp_path: Path) -> None:
    got: list[bytes] = []
    both = [threading.Thread(target=lambda: got.append(fetch(tmp_path))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert got == [CONTENT, CONTENT]
    assert site.asked == [None]


def test_a_full_disk_is_said_before_it_is_full(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(SentexpError, match=r"needs 0\.00 GB, 0\.00 GB are free"):
        from_hub(site)(tmp_path)
    assert (site.asked, files(tmp_path)) == ([], set())


def test_a_disk_that_fills_up_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fills_up(self: object, url: str, path: str, _pooch: object) -> None:
        Path(path).write_bytes(CONTENT[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fills_up)
    with pytest.raises(SentexpError, match="No space left on device"):
        archive(Published("vectors.zip", (50,), "http://nowhere.invalid/"), tmp_path)
    assert files(tmp_path) == set()


def test_a_folder_that_cannot_be_written_is_said_so(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(SentexpError, match=r"cache_dir=.*cache: cannot be written"):
        fetch(tmp_path / "cache")
