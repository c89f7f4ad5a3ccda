from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sentexp.atomic import whole_file


def test_a_file_that_cannot_be_written_is_named_as_it_would_be_called(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*/a\.txt'") as refusal:
        write()
    assert refusal.value.filename == str(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError) as refusal, whole_file(tmp_path / "gone" / "a.txt") as unfinished:
        unfinished.write_text("x")
    assert refusal.value.filename == str(tmp_path / "gone" / "a.txt")
    assert list(tmp_path.iterdir()) == []
