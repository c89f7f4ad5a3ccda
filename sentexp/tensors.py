"""Tensors as files, which may come from anyone: a file takes no more memory than its size."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sentexp.errors import SentexpError, one_line


def write_tensors(value: Any, path: Path) -> None:
    """Write tensors in dicts and lists to `path`, as torch.save does. Raises OSError if the disk is full."""
    with path.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as error:  # in which torch hides what the system has answered
            hidden: BaseException | None = error
            while hidden is not None and not isinstance(hidden, OSError):
                hidden = hidden.__cause__ or hidden.__context__
            if hidden is None:
                raise
            raise OSError(hidden.errno, hidden.strerror, str(path)) from error


def read_tensors(path: Path) -> Any:
    """Return what `write_tensors` wrote, on the CPU. No other objects are unpickled than tensors, numbers and texts.

    Raises SentexpError for a file that is damaged, not of torch's, or stands for more than its size.
    """
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            promised = sum(record.file_size for record in archive.infolist())
        if promised > size:
            raise SentexpError(f"{size:,} bytes that stand for {promised:,}")
        value = torch.load(path, map_location="cpu", weights_only=True)
        for tensor in _tensors(value):
            _refuse_more_than(size, tensor)
    except Exception as error:  # torch's parsers raise whatever they come upon
        raise SentexpError(
            f"{path}: damaged ({one_line(error)}); expected tensors as torch.save writes them"
        ) from error
    return value


def _refuse_more_than(size: int, tensor: Tensor) -> None:
    """Raise SentexpError for a tensor of more bytes: a view can repeat one number any number of times."""
    promised = tensor.numel() * tensor.element_size()
    if promised > size or tensor.device.type != "cpu" or tensor.layout != torch.strided:
        what = f"{list(tensor.shape)}, {tensor.dtype}, {tensor.layout}, on {tensor.device}"
        raise SentexpError(f"a tensor of {what}, in {size:,} bytes")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(inner)
