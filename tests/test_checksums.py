from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.checksums import BLOCK, is_sealed, quick_checksum, quick_checksum_of, seal


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_a_file_of_any_size_can_be_sealed_and_checked(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert quick_checksum_of(path) == quick_checksum(b"x" * size).hexdigest()
    seal(path)
    assert is_sealed(path)
    assert path.read_bytes()[:size] == b"x" * size


@given(content=st.binary(max_size=50), data=st.data())
def test_a_sealed_file_with_any_byte_altered_cut_or_added_is_told(tmp_path_factory, content: bytes, data) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file"
    path.write_bytes(content)
    seal(path)
    sealed = path.read_bytes()
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[place] ^= data.draw(st.integers(1, 255))
    for other in (bytes(flipped), sealed[:place], sealed + b"\0", sealed[1:]):
        path.write_bytes(other)
        assert not is_sealed(path)


def test_a_sealed_archive_is_read_as_before(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inner", b"content")
    path = tmp_path / "archive.zip"
    path.write_bytes(buffer.getvalue())
    seal(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("inner") == b"content"
