from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from sentexp.embedding.container import opened
from sentexp.errors import SentexpError

TEXT = b"".join(b"word%d 0.%d 0.5\n" % (number, number) for number in range(5000))


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def content(path: Path, dim: int | None = None) -> bytes:
    with opened(path, dim) as source:
        return source.stream.read()


@pytest.mark.parametrize("suffix", [".txt", ".anything"])
def test_the_kind_is_told_by_content_not_by_name(tmp_path: Path, suffix: str) -> None:
    plain, gz, archive = (tmp_path / f"{kind}{suffix}" for kind in ("plain", "gz", "zip"))
    plain.write_bytes(TEXT)
    gz.write_bytes(gzip.compress(TEXT))
    zipped(archive, {"vectors.txt": TEXT})
    assert content(plain) == content(gz) == content(archive) == TEXT


def test_a_zip_of_several_files_gives_the_one_named_for_the_dimension(tmp_path: Path) -> None:
    members = {f"glove.6B.{dim}d.txt": b"the %d\n" % dim for dim in (50, 100, 200, 300)}
    path = zipped(tmp_path / "glove.6B.zip", {**members, "__MACOSX/._glove.6B.50d.txt": b"junk"})
    assert content(path, 100) == b"the 100\n"
    assert content(path, 50) == b"the 50\n"


@pytest.mark.parametrize(
    ("members", "dim", "expected"),
    [
        (["a.50d.txt", "a.100d.txt"], None, "which of a.50d.txt, a.100d.txt.*embedding.dim"),
        (["a.50d.txt", "a.100d.txt"], 60, r"none of its files \(a.50d.txt, a.100d.txt\) is named for embedding.dim=60"),
        (["a.50d.txt", "b.50d.txt"], 50, "more than one of its files"),
        ([], 50, "without a file"),
    ],
)
def test_a_zip_that_leaves_the_member_open_lists_them(
    tmp_path: Path, members: list[str], dim: int | None, expected: str
) -> None:
    path = zipped(tmp_path / "a.zip", dict.fromkeys(members, b"the 1\n"))
    with pytest.raises(SentexpError, match=expected):
        content(path, dim)


@pytest.mark.parametrize("kind", ["gz", "zip"])
@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_an_archive_cut_short_is_said_so(tmp_path: Path, kind: str, kept: float) -> None:
    path = tmp_path / "vectors"
    if kind == "gz":
        path.write_bytes(gzip.compress(TEXT))
    else:
        zipped(path, {"vectors.txt": TEXT})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(SentexpError, match=r"embedding\.path=.*vectors: cut short or damaged \(.*fetch it again"):
        content(path)


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_damaged_archive_is_said_so(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "vectors"
    if kind == "gz":
        path.write_bytes(gzip.compress(TEXT))
    else:
        zipped(path, {"vectors.txt": TEXT})
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(SentexpError, match="cut short or damaged"):
        content(path)


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match=r"nowhere: cannot be read \(No such file"):
        content(tmp_path / "nowhere")
    with pytest.raises(SentexpError, match=r"cannot be read \(Is a directory\)"):
        content(tmp_path)


def test_progress_is_counted_in_bytes_on_disk(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"vectors.txt": TEXT})
    with opened(path, None) as source:
        assert source.done() == 0 or source.done() <= source.total
        source.stream.read()
        assert source.done() == source.total < len(TEXT)
