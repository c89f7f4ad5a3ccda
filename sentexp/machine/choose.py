"""Where and how a training runs: device, precision, processes and threads, each chosen with its reason in
words.

The same machine and the same settings always give the same choice: capabilities are asked, nothing is timed,
so that the same seed stays the same run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from sentexp.errors import SentexpError
from sentexp.machine.cores import available_cores
from sentexp.machine.torchrun import under_torchrun

START_SECONDS = 6.0
"""What a further process costs before its first step: importing torch, mapping the corpus, meeting the
others."""

CPU_OPERATIONS_PER_SECOND = 6e10
"""Of one core in training, on the fast side, so that a further process is not promised too much."""

BYTES_PER_SECOND = 2e9
"""At which processes of one machine add up their gradients over gloo."""

LEAST_SHARE = 16
"""Reviews of a batch below which the share of a process is too small to keep its core busy."""


@dataclass(frozen=True)
class Machine:
    device: torch.device
    precision: torch.dtype
    """Of the model's arithmetic: torch.float32 or torch.bfloat16. Weights, losses and optimizer stay in
    float32."""
    processes: int
    threads: int
    """CPU threads of each process."""
    reasons: dict[str, str]
    """Of device, precision and processes: the choice and why, as one phrase each."""

    def autocast(self) -> AbstractContextManager[object]:
        """For the forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16)


@dataclass(frozen=True)
class Work:
    """The size of a training, from which `processes=auto` tells whether further processes pay off."""

    tokens: int
    """Words to read, over all epochs."""
    steps: int
    """Steps, over all epochs."""
    batch: int
    """Reviews of a batch."""
    multiplied: int
    """Parameters that each word is multiplied with: all but the word vectors."""
    shared: int
    """Parameters whose gradients the processes add up with each step."""

    @staticmethod
    def of(
        model: nn.Module,
        lengths: torch.Tensor,
        *,
        epochs: int,
        batch_size: int | None,
        max_tokens: int | None,
    ) -> Work:
        tokens = int(lengths.sum())
        mean = max(1.0, tokens / max(1, len(lengths)))
        batch = min(batch_size or len(lengths), int(max_tokens / mean) if max_tokens else len(lengths)) or 1
        words = getattr(getattr(model, "embedding", None), "num_embeddings", -1)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return Work(
            tokens=tokens * epochs,
            steps=-(-len(lengths) // batch) * epochs,
            batch=batch,
            multiplied=sum(parameter.numel() for parameter in trained if words not in parameter.shape),
            shared=sum(parameter.numel() for parameter in trained),
        )


def choose_machine(
    *,
    device: str = "auto",
    precision: str = "auto",
    processes: str | int = "auto",
    threads: int = 1,
    work: Work | None = None,
) -> Machine:
    """Turns the four `trainer` keys into a machine. Without `work`, `processes=auto` is one process.

    Raises SentexpError for a device that is not there and for processes that cannot be.
    """
    chosen, device_reason = resolve_device(device)
    dtype, precision_reason = resolve_precision(precision, chosen)
    count, processes_reason = resolve_processes(processes, chosen, threads, work)
    reasons = {"device": device_reason, "precision": precision_reason, "processes": processes_reason}
    return Machine(chosen, dtype, count, threads, reasons)


def resolve_device(name: str) -> tuple[torch.device, str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        if count:
            return torch.device("cuda", _local_rank()), f"cuda ({torch.cuda.get_device_name(_local_rank())})"
        return torch.device("cpu"), "cpu (PyTorch sees no CUDA device)"
    if name == "cpu":
        return torch.device("cpu"), "cpu (as asked)"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type != "cuda":
        raise SentexpError(f"trainer.device={name}: expected auto, cpu, cuda or cuda:1")
    if not count:
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch sees no CUDA device"
        raise SentexpError(f"trainer.device={name}: {why}; expected trainer.device=cpu or auto here")
    index = _local_rank() if device.index is None else device.index
    if index >= count:
        there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise SentexpError(f"trainer.device={name}: no such device; expected {there}")
    return torch.device("cuda", index), f"cuda:{index} ({torch.cuda.get_device_name(index)}, as asked)"


def resolve_precision(name: str, device: torch.device) -> tuple[torch.dtype, str]:
    """`auto` takes bf16 where the processor multiplies it natively, which is where it is faster."""
    if name not in ("auto", "fp32", "bf16"):
        raise SentexpError(f"trainer.precision={name}: not one of auto, fp32, bf16")
    native, by = _multiplies_bf16(device)
    if name == "auto":
        return (torch.bfloat16, f"bf16 ({by})") if native else (torch.float32, f"fp32 ({by})")
    if name == "bf16":
        return torch.bfloat16, "bf16 (as asked)" if native else f"bf16 (as asked, although slow here: {by})"
    return torch.float32, "fp32 (as asked)"


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


def resolve_processes(asked: str | int, device: torch.device, threads: int, work: Work | None) -> tuple[int, str]:
    if under_torchrun():
        joined = int(os.environ["WORLD_SIZE"])
        if str(asked) not in ("auto", str(joined)):
            raise SentexpError(f"trainer.processes={asked}: torchrun has started {joined}; expected auto or {joined}")
        return joined, f"{joined} (started by torchrun)"
    if str(asked) != "auto":
        return _asked_processes(str(asked), device)
    if device.type == "cuda":
        return 1, "1 (one GPU; trainer.processes=N takes N of them)"
    cores, by = available_cores()
    if cores // threads <= 1:
        return 1, f"1 ({by})" if threads == 1 else f"1 ({by}, {threads} threads each)"
    if work is None:
        return 1, "1 (size of the training unknown)"
    count = min(cores // threads, max(1, work.batch // LEAST_SHARE))
    if count == 1:
        return 1, f"1 (batches of {work.batch} reviews are too small to share)"
    computing = 6 * work.tokens * work.multiplied / CPU_OPERATIONS_PER_SECOND / threads
    adding = work.steps * 4 * work.shared / BYTES_PER_SECOND
    saved = computing * (1 - 1 / count) - adding - START_SECONDS
    if saved <= 0:
        return 1, f"1 (about {computing:.0f} s of arithmetic do not pay for starting {count})"
    return count, f"{count} ({by})"


def _asked_processes(asked: str, device: torch.device) -> tuple[int, str]:
    if not asked.isdigit() or asked == "0":
        raise SentexpError(f"trainer.processes={asked}: expected auto or a number from 1")
    count = int(asked)
    if device.type == "cuda" and count > torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise SentexpError(f"trainer.processes={asked}: expected at most one for each of the {there} GPUs here")
    return count, f"{count} (as asked)"


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0")) if under_torchrun() else 0


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """torch computes with so many CPU threads inside, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
