"""One training over several processes: starting them, adding up their gradients, and ending all when one ends
badly.

Each process reads its share of every batch and computes the gradient of the sum of its reviews' losses over
the number of all reviews in the batch, so that the sum over processes is the gradient that one process would
have found.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter

from sentexp.machine.signals import interrupts_ignored
from sentexp.machine.torchrun import under_torchrun

TIMEOUT = timedelta(minutes=30)
"""A process that keeps the others waiting for longer is taken for dead."""


TALL = 4096
"""Rows from which on it pays to ask which rows of a gradient are not zero, and to send those alone."""


class ProcessDied(RuntimeError):
    """A process of the training has failed or was killed; the message holds the cause."""


class _PeerLost(RuntimeError):
    """Another process did not answer; its own end says why."""


class Group:
    """The processes that train together, seen from one of them."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    def sum_(self, tensor: Tensor) -> None:
        """Replaces `tensor` by its sum over all processes: the same bits in each of them."""
        if self.size > 1:
            self._all_reduce(tensor, dist.ReduceOp.SUM)

    def _all_reduce(self, tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> None:
        try:
            dist.all_reduce(tensor, operation)
        except RuntimeError as error:
            raise _PeerLost(str(error)) from error

    def sum_gradients(self, parameters: Sequence[Parameter], figures: Tensor) -> Tensor:
        """Sums the gradients, and beside them the few `figures`, over all processes in one exchange.

        Returns the summed figures. A parameter without a gradient here (an empty share) counts as zeros.
        """
        if self.size == 1:
            return figures
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters
        ]
        rows = self._rows_in_use(gradients)
        parts = [
            gradient if where is None else gradient[where] for gradient, where in zip(gradients, rows, strict=True)
        ]
        buffer = torch.cat([part.reshape(-1) for part in [*parts, figures]])
        self.sum_(buffer)
        *sums, summed_figures = buffer.split([part.numel() for part in [*parts, figures]])
        for parameter, gradient, where, part, total in zip(parameters, gradients, rows, parts, sums, strict=True):
            if where is None:
                parameter.grad = total.view_as(parameter)
            else:
                parameter.grad = gradient.index_copy_(0, where, total.view_as(part))
        return summed_figures.clone()

    def _rows_in_use(self, gradients: list[Tensor]) -> list[Tensor | None]:
        """The rows of each tall gradient that are not zero in every process; None stands for all of them.

        A batch has few of the vocabulary's words, so most rows of the word vectors' gradient need not be
        sent. On a GPU all are sent: that is quick, and to ask for the rows would wait for the device.
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
    """This process as the first of `processes`; the others are started, run `work(group, *arguments)` and
    end.

    `arguments` are pickled. Whatever ends the block ends the other processes. Raises ProcessDied, with the
    cause, if one of them fails. Under torchrun, which has started them all, this process joins the others
    instead.
    """
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
    # why bytes: torch would otherwise move our own weights to shared memory and all would train one model at
    # once
    payload = pickle.dumps((work, arguments))
    folder = tempfile.mkdtemp(prefix="sentexp-")
    context = multiprocessing.get_context("spawn")
    children: list[tuple[BaseProcess, Connection]] = []
    finished = False
    try:
        with interrupts_ignored():
            for rank in range(1, processes):
                ours, theirs = context.Pipe(duplex=False)
                child = context.Process(
                    target=_child,
                    args=(rank, processes, str(device), folder, payload, theirs),
                    daemon=True,
                    name=f"sentexp-{rank}",
                )
                child.start()
                theirs.close()
                children.append((child, ours))
        _await_ready(children)
        with _joined(device, folder, 0, processes) as group:
            yield group
        finished = True
    except _PeerLost as error:
        raise ProcessDied(_cause(children) or f"the other processes do not answer: {error}") from error
    finally:
        _end(children, patience=10.0 if finished else 0.0)
        shutil.rmtree(folder, ignore_errors=True)


def _child(rank: int, size: int, device: str, folder: str, payload: bytes, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work, arguments = pickle.loads(payload)
        pipe.send(None)  # ready
        with _joined(torch.device(device), folder, rank, size) as group:
            work(group, *arguments)
    except _PeerLost:
        os._exit(1)  # another process is the cause
    except BaseException:
        pipe.send(traceback.format_exc())
        os._exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _joined(device: torch.device, folder: str | None, rank: int, size: int) -> Iterator[Group]:
    """The rendezvous, by a file in `folder` on this machine, or by what torchrun has put into the
    environment."""
    # why now: its functions keep the group that they find on import as a default argument, and a group whose
    # threads live on when Python ends aborts the process
    import torch.distributed.nn.functional

    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device_of(rank, device))
    if folder is None:
        dist.init_process_group(backend, timeout=TIMEOUT)
    else:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        store = dist.FileStore(os.path.join(folder, "rendezvous"), size)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        yield Group(rank, size)
    finally:
        dist.destroy_process_group()


def device_of(rank: int, device: torch.device) -> torch.device:
    """The device of process `rank`, where `device` is that of the first."""
    if device.type != "cuda":
        return device
    return device if under_torchrun() else torch.device("cuda", (device.index or 0) + rank)


def _await_ready(children: list[tuple[BaseProcess, Connection]]) -> None:
    """Waits until all have come up; the rendezvous itself could only run into its timeout for one that has
    not."""
    for child, pipe in children:
        wait([pipe, child.sentinel])
        failure = _last_words(child, pipe)
        if failure is not None:
            raise ProcessDied(failure)


def _last_words(child: BaseProcess, pipe: Connection) -> str | None:
    """What a child has died of; None while it lives, or if it only says that it is ready."""
    try:
        while pipe.poll():
            message = pipe.recv()
            if message is not None:
                return f"{child.name} failed:\n{message}"
            if child.is_alive():
                return None
    except EOFError:
        child.join(1.0)
    if child.exitcode is None:
        return None
    if child.exitcode < 0:
        by = signal.Signals(-child.exitcode).name
        return f"{child.name} was ended by {by}" + (" (out of memory?)" if by == "SIGKILL" else "")
    return f"{child.name} ended with status {child.exitcode}" if child.exitcode else None


def _cause(children: list[tuple[BaseProcess, Connection]], patience: float = 5.0) -> str | None:
    """The first telling end among the children; one that merely ended because of another tells nothing."""
    until = time.monotonic() + patience
    while True:
        ends = [end for child, pipe in children if (end := _last_words(child, pipe)) is not None]
        telling = [end for end in ends if not end.endswith("ended with status 1")]
        if telling or time.monotonic() > until:
            return next(iter(telling or ends), None)
        time.sleep(0.05)


def _end(children: list[tuple[BaseProcess, Connection]], patience: float) -> None:
    until = time.monotonic() + patience
    for child, _ in children:
        child.join(max(0.0, until - time.monotonic()))
        if child.is_alive():
            child.terminate()
    for child, pipe in children:
        child.join(2.0)
        if child.is_alive():
            child.kill()
            child.join()
        pipe.close()
