from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sentexp.embedding import dimension
from sentexp.errors import SentexpError


@pytest.mark.parametrize(
    ("content", "dim"),
    [
        (b"the 0.1 0.2 0.3\nof 1 2 3\n", 3),
        (b"the 0.1 0.2 0.3", 3),
        (b"5 0.1 0.2 0.3\n", 3),  # the word is a number
        (b". . . 0.1 0.2 0.3\n", 3),  # the word holds spaces
        (b"the\t0.1 0.2 0.3 \r\n", 3),
        (b"\xef\xbb\xbfthe 0.1 0.2 0.3\n", 3),
        (b"2 3\nthe 0.1 0.2 0.3 \nof 1 2 3 \n", 3),
        (b"1 3\nthe " + struct.pack("<3f", 0.1, 0.2, 0.3), 3),
        (b"1000 300\n", 300),
    ],
)
def test_dimension_of_a_file(tmp_path: Path, content: bytes, dim: int) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    assert dimension.check(path) == dimension.check(str(path)) == dimension.check(path, dim) == dim


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "line 1 is not a word and its numbers"),
        (b"<!DOCTYPE html>\n<html>", "line 1 is not a word and its numbers"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "line 1 is not a word and its numbers"),
        (b"0 50\n", "promises 0 words of 50"),
        (b"\xba\x16\x4f\x2f" + bytes(50), r"fastText model; expected .* \(\.vec\)"),
    ],
)
def test_what_is_not_a_file_of_vectors(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(SentexpError, match=expected):
        dimension.check(path)


def test_another_dimension_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"the 1 2\n")
    with pytest.raises(SentexpError, match=r"embedding\.dim=3: .*vectors of 2; expected embedding\.dim=2"):
        dimension.check(path, 3)


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vectors").write_bytes(b"the 1 2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert dimension.check("~/vectors") == 2
