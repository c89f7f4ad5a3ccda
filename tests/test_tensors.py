"""Files of tensors: what is written comes back, and a file of anyone's takes no more memory than its size."""

from __future__ import annotations

import collections
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sentexp.errors import SentexpError
from sentexp.tensors import read_tensors, write_tensors


def test_tensors_in_dicts_and_lists_come_back(tmp_path: Path) -> None:
    table = torch.arange(6.0).reshape(2, 3)
    write_tensors({"a": table, "b": [table.t(), 3, "text", None], "c": {1: table[0]}}, tmp_path / "file")
    read = read_tensors(tmp_path / "file")
    assert torch.equal(read["a"], table)
    assert torch.equal(read["b"][0], table.t())
    assert read["b"][1:] == [3, "text", None]
    assert torch.equal(read["c"][1], table[0])


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def packed(path: Path) -> None:
    """Write the file again, with its records compressed: a gigabyte of zeros in a megabyte."""
    torch.save(torch.zeros(1 << 20), path)
    with zipfile.ZipFile(path) as whole:
        records = {record: whole.read(record) for record in whole.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as again:
        for record, content in records.items():
            again.writestr(record, content)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (packed, r"[\d,]+ bytes that stand for [\d,]+"),
        (lambda path: torch.save({"a": [torch.zeros(1).expand(1 << 40)]}, path), r"a tensor of \[1099511627776\], .*"),
        (lambda path: torch.save(torch.zeros(1 << 40, device="meta"), path), r"a tensor of .* on meta, .*"),
        (lambda path: torch.save(torch.eye(3).to_sparse(), path), r"a tensor of .*sparse.*"),
        (lambda path: torch.save(circle(), path), r"RecursionError: .*"),
        (lambda path: torch.save(collections.deque(), path), r"UnpicklingError: .*"),  # more than tensors
        (lambda path: torch.save(1, path, _use_new_zipfile_serialization=False), r"BadZipFile: .*"),
        (lambda path: path.write_bytes(b""), r"BadZipFile: .*"),
        (lambda path: path.mkdir(), r"IsADirectoryError: .*"),
        (lambda path: None, r"FileNotFoundError: .*"),
    ],
)
def test_any_other_file_is_refused_in_one_line(tmp_path: Path, write: Callable[[Path], object], reason: str) -> None:
    write(tmp_path / "file")
    with pytest.raises(
        SentexpError, match=rf"/file: damaged \({reason}\); expected tensors as torch\.save writes them$"
    ):
        read_tensors(tmp_path / "file")
