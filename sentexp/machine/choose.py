"""Where and how a training runs: device, precision, processes and threads, each chosen with its reason in words.

The same machine and the same settings always give the same choice: capabilities are looked up, nothing is timed, so
that the same seed stays the same run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch

from sentexp.errors import SentexpError
from sentexp.machine.cores import available_cores
from sentexp.machine.device import PRECISIONS, resolve_device, resolve_precision
from sentexp.machine.torchrun import under_torchrun
from sentexp.machine.workload import Workload


@dataclass(frozen=True)
class Machine:
    device: torch.device
    """Where tensors live; with several processes, the device of the first."""
    precision: torch.dtype
    """Number format of the model's arithmetic: torch.float32 or torch.bfloat16. Weights, losses and optimizer stay in
    float32."""
    processes: int
    """Processes that train together, this one included."""
    threads: int
    """CPU threads of each process."""
    reasons: dict[str, str]
    """For device, precision and processes: the choice and why, as one phrase each."""

    def facts(self) -> dict[str, str]:
        """Return device, precision and processes as the `trainer` keys name them; of a GPU without its number."""
        precision = next(name for name, dtype in PRECISIONS.items() if dtype == self.precision)
        return {"device": self.device.type, "precision": precision, "processes": str(self.processes)}

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for a forward pass in `precision`."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16)


def choose_machine(
    *,
    device: str = "auto",
    precision: str = "auto",
    processes: str | int = "auto",
    threads: int = 1,
    workload: Workload | None = None,
) -> Machine:
    """Turn the four `trainer` keys into a machine. Without `workload`, `processes=auto` is one process.

    Raises SentexpError for a device that is not there and for more processes than GPUs or than torchrun has started,
    ValueError for a value that is none.

        machine = choose_machine(device="cpu", precision="fp32", processes=2)
    """
    chosen, device_reason = resolve_device(device)
    dtype, precision_reason = resolve_precision(precision, chosen)
    count, processes_reason = resolve_processes(processes, chosen, threads, workload)
    reasons = {"device": device_reason, "precision": precision_reason, "processes": processes_reason}
    return Machine(chosen, dtype, count, threads, reasons)


def resolve_processes(
    processes: str | int, device: torch.device, threads: int, workload: Workload | None
) -> tuple[int, str]:
    """Return the number of processes that `auto` or a number stands for, and why in one phrase."""
    number = str(processes)
    if number != "auto" and (not number.isdigit() or int(number) == 0):
        raise ValueError(f"processes={number}: expected auto or a number from 1")
    if under_torchrun():
        started = int(os.environ["WORLD_SIZE"])
        if number not in ("auto", str(started)):
            raise SentexpError(
                f"trainer.processes={number}: torchrun has started {started}; expected auto or {started}"
            )
        return started, f"{started} (started by torchrun)"
    if number != "auto":
        gpus = torch.cuda.device_count() if device.type == "cuda" else 0
        if device.type == "cuda" and int(number) > gpus:
            raise SentexpError(f"trainer.processes={number}: expected at most one for each of the {gpus} GPUs here")
        return int(number), f"{number} (as requested)"
    if device.type == "cuda":
        return 1, "1 (one GPU; trainer.processes=N takes N of them)"
    cores, by = available_cores()
    if cores // threads <= 1:
        return 1, f"1 ({by})" if threads == 1 else f"1 ({by}, {threads} threads each)"
    if workload is None:
        return 1, "1 (size of the training unknown)"
    return workload.processes(cores, threads, by)


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let torch use `threads` CPU threads inside the block, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
