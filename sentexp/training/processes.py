"""One training over several processes: starting them, adding up their gradients, ending all when one ends badly.

Each process takes its share of every batch and computes the gradient of the sum of its reviews' losses over the number
of all reviews in the batch, so that the sum over processes is the gradient that one process would have computed.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing import ProcessContext, ProcessExitedException, ProcessRaisedException, start_processes
from torch.nn import Parameter

from sentexp.machine.children import UNGUARDED, end_with_parent, how_it_ended, is_a_script, refuse_second_start
from sentexp.machine.signals import interrupts_ignored
from sentexp.machine.temporary import temporary_folder
from sentexp.machine.torchrun import under_torchrun

TIMEOUT = timedelta(minutes=30)
"""A process that keeps the others waiting for longer is taken for dead."""

TALL = 4096
"""Rows from which on it pays to find out which rows of a gradient are not zero, and to send those alone."""

CAUSE_SECONDS = 30.0
"""Time to wait for the process whose end broke an exchange: on a busy machine it goes on for seconds after that."""

LAST_SECONDS = 10.0
"""Time that the other processes get to end by themselves after a training that went well."""

GRACE_SECONDS = 2.0
"""Time that a process gets to end by itself, and to end after SIGTERM, once another has failed."""

WORK = "work"
"""File of what the other processes are to do."""


class ProcessDied(RuntimeError):
    """A process of the training has failed or was killed; the message holds the cause."""


class PeerLost(RuntimeError):
    """Another process did not answer; its own end says why."""


class Group:
    """The processes that train together, seen from one of them."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    def sum_(self, tensor: Tensor) -> None:
        """Replace `tensor` by its sum over all processes: the same bits in each of them."""
        if self.size > 1:
            self._all_reduce(tensor, dist.ReduceOp.SUM)

    def _all_reduce(self, tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> None:
        try:
            dist.all_reduce(tensor, operation)
        except RuntimeError as error:
            raise PeerLost(str(error)) from error

    def sum_gradients(self, parameters: Sequence[Parameter], extra: Tensor) -> Tensor:
        """Sum the gradients, and beside them the few numbers `extra`, over all processes in one exchange.

        Returns the sums of `extra`. A parameter without a gradient here (an empty share) counts as zeros.
        """
        if self.size == 1:
            return extra
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters
        ]
        rows = self._rows_in_use(gradients)
        parts = [
            gradient if where is None else gradient[where] for gradient, where in zip(gradients, rows, strict=True)
        ]
        buffer = torch.cat([part.reshape(-1) for part in [*parts, extra]])
        self.sum_(buffer)
        *sums, summed_extra = buffer.split([part.numel() for part in [*parts, extra]])
        for parameter, gradient, where, part, total in zip(parameters, gradients, rows, parts, sums, strict=True):
            if where is None:
                parameter.grad = total.view_as(parameter)
            else:
                parameter.grad = gradient.index_copy_(0, where, total.view_as(part))
        return summed_extra.clone()

    def _rows_in_use(self, gradients: list[Tensor]) -> list[Tensor | None]:
        """Return the rows of each tall gradient that are not zero in every process; None stands for all of them.

        A batch has few of the vocabulary's tokens, so most rows of the word vectors' gradient need not be sent. On a
        GPU all are sent: that is quick, and to find the rows would wait for the device.
        """
        tall = [gradient.dim() == 2 and len(gradient) >= TALL and not gradient.is_cuda for gradient in gradients]
        if not any(tall):
            return [None] * len(gradients)
        marks = [
            gradient.abs().amax(1) != 0  # several times as fast as (gradient != 0).any(1)
            for gradient, is_tall in zip(gradients, tall, strict=True)
            if is_tall
        ]
        joint = torch.cat(marks).byte()
        self._all_reduce(joint, dist.ReduceOp.MAX)
        found = iter(joint.split([len(mark) for mark in marks]))
        return [next(found).nonzero().squeeze(1) if is_tall else None for is_tall in tall]


@contextmanager
def together(processes: int, device: torch.device, work: Callable[..., object], *arguments: Any) -> Iterator[Group]:
    """Make this process the first of `processes`; the others are started, run `work(group, *arguments)` and end.

    `arguments` are pickled. Whatever ends the block ends the other processes. Raises ProcessDied, with the cause, if
    one of them fails. Under torchrun, which has started them all, this process joins the others instead.
    """
    refuse_second_start()
    if under_torchrun():
        with _joined(device, None, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) as group:
            yield group
    elif processes == 1:
        yield Group()
    else:
        with _started(processes, device, work, arguments) as group:
            yield group


@contextmanager
def _started(
    processes: int, device: torch.device, work: Callable[..., object], arguments: tuple[Any, ...]
) -> Iterator[Group]:
    children: ProcessContext | None = None
    patience = 0.0
    with temporary_folder() as folder:
        try:
            # why a file: what is passed to a process waits in a pipe until it is read, and one that dies before lets us
            # wait for ever; torch would also move our own weights to shared memory, and all would train one model
            (folder / WORK).write_bytes(pickle.dumps((work, arguments)))
            with interrupts_ignored():
                given = (processes, str(device), folder)
                children = start_processes(_child, given, processes - 1, join=False, daemon=True, start_method="spawn")
            store = _store(folder, processes)
            _await_ready(children, store)
            with _joined(device, store, 0, processes) as group:
                yield group
            patience = LAST_SECONDS
        except PeerLost as error:
            assert children is not None
            failure = _failure(children, CAUSE_SECONDS) or f"the other processes do not answer: {error}"
            raise ProcessDied(failure) from error
        finally:
            if children is not None:
                _end(children, patience)


def _child(number: int, processes: int, device: str, folder: Path) -> None:
    """Run the work of process `number` + 1. What it raises is reported by torch.multiprocessing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    rank = number + 1
    work, arguments = pickle.loads((folder / WORK).read_bytes())
    store = _store(folder, processes)
    store.set(_ready(rank), "")
    try:
        with _joined(torch.device(device), store, rank, processes) as group:
            work(group, *arguments)
    except PeerLost:
        os._exit(0)  # not this process's failure: the one that failed is reported


def _store(folder: Path, processes: int) -> dist.Store:
    return dist.FileStore(str(folder / "rendezvous"), processes)


def _ready(rank: int) -> str:
    return f"ready {rank}"


@contextmanager
def _joined(device: torch.device, store: dist.Store | None, rank: int, size: int) -> Iterator[Group]:
    """Meet the other processes by `store`, or by what torchrun has put into the environment."""
    # why now: its functions keep the group that they find on import as a default argument, and a group whose threads
    # live on when Python ends aborts the process
    import torch.distributed.nn.functional

    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device_of(rank, device))
    if store is None:
        dist.init_process_group(backend, timeout=TIMEOUT)
    else:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        yield Group(rank, size)
    finally:
        dist.destroy_process_group()


def device_of(rank: int, device: torch.device) -> torch.device:
    """Return the device of process `rank`, where `device` is that of the first."""
    if device.type != "cuda":
        return device
    return device if under_torchrun() else torch.device("cuda", (device.index or 0) + rank)


def _await_ready(children: ProcessContext, store: dist.Store) -> None:
    """Wait until all have come up: for one that has not, the rendezvous itself would only run into its timeout."""
    keys = [_ready(number + 1) for number in range(len(children.processes))]
    while not store.check(keys):
        failure = _failure(children, seconds=0.05)
        if failure is not None:
            raise ProcessDied(f"{failure}, before it had begun" + (f"; {UNGUARDED}" if is_a_script() else ""))


def _failure(children: ProcessContext, seconds: float) -> str | None:
    """Wait up to `seconds` for a child to fail. Returns what has failed, or None; the other children are ended then."""
    until = time.monotonic() + seconds
    try:
        while not children.join(max(0.0, until - time.monotonic()), grace_period=GRACE_SECONDS):
            if time.monotonic() >= until:
                return None
    except ProcessRaisedException as error:
        traceback = error.msg.split("terminated with the following error:\n")[-1]
        return f"process {error.error_index + 1} of the training failed:\n{traceback}"
    except ProcessExitedException as error:
        return f"process {error.error_index + 1} of the training {how_it_ended(error.exit_code)}"
    return "the other processes have ended"


def _end(children: ProcessContext, patience: float) -> None:
    """End all children: they get `patience` seconds to end by themselves, then SIGTERM, then SIGKILL."""
    until = time.monotonic() + patience
    for child in children.processes:
        child.join(max(0.0, until - time.monotonic()))
        if child.is_alive():
            child.terminate()
    for child, error_file in zip(children.processes, children.error_files, strict=True):
        child.join(GRACE_SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
        Path(error_file).unlink(missing_ok=True)  # torch leaves it behind
