"""The device and the precision of a training, each with the reason for the choice."""

from __future__ import annotations

import os

import torch

from sentexp.errors import SentexpError
from sentexp.machine.torchrun import under_torchrun

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def resolve_device(name: str) -> tuple[torch.device, str]:
    """Return the device that `auto`, `cpu`, `cuda` or `cuda:N` stands for, and why in one phrase.

    Raises SentexpError for a GPU that is not there, ValueError for any other name.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        if count:
            return torch.device("cuda", _local_rank()), f"cuda ({torch.cuda.get_device_name(_local_rank())})"
        return torch.device("cpu"), "cpu (PyTorch sees no CUDA device)"
    if name == "cpu":
        return torch.device("cpu"), "cpu (as requested)"
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        raise ValueError(f"device={name}: expected auto, cpu, cuda or cuda:N")
    if not count:
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch sees no CUDA device"
        raise SentexpError(f"trainer.device={name}: {why}; expected trainer.device=cpu or auto here")
    index = int(number) if number else _local_rank()
    if index >= count:
        there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise SentexpError(f"trainer.device={name}: no such device; expected {there}")
    return torch.device("cuda", index), f"cuda:{index} ({torch.cuda.get_device_name(index)}, as requested)"


def resolve_precision(name: str, device: torch.device) -> tuple[torch.dtype, str]:
    """Return the number format that `auto`, `fp32` or `bf16` stands for on `device`, and why in one phrase.

    `auto` is bf16 if the processor multiplies it natively, which is where it is faster. Raises ValueError for any other
    name.
    """
    if name not in ("auto", *PRECISIONS):
        raise ValueError(f"precision={name}: expected auto, {' or '.join(PRECISIONS)}")
    native, why = _multiplies_bf16(device)
    if name == "auto":
        name = "bf16" if native else "fp32"
        return PRECISIONS[name], f"{name} ({why})"
    slow = name == "bf16" and not native
    return PRECISIONS[name], f"{name} (as requested, although slow here: {why})" if slow else f"{name} (as requested)"


def _multiplies_bf16(device: torch.device) -> tuple[bool, str]:
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return major >= 8, f"compute capability {major}.{minor}, bf16 {'from' if major >= 8 else 'needs'} 8.0"
    if not torch.backends.mkldnn.is_available():
        return False, "this PyTorch has no oneDNN, whose bf16 kernels are the fast ones"
    for probe, instructions in (
        ("_is_amx_tile_supported", "AMX"),
        ("_is_avx512_bf16_supported", "AVX512-BF16"),
    ):
        if getattr(torch.cpu, probe, lambda: False)():
            return True, f"the processor multiplies it natively, {instructions}"
    return False, "the processor has neither AMX nor AVX512-BF16"


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0")) if under_torchrun() else 0
