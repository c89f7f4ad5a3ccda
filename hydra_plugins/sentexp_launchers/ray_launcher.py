"""Runs jobs on Ray: on this machine, or on the nodes of a running cluster."""

from __future__ import annotations

import functools
import logging
import os
import socket
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.sentexp_launchers.extras import require
from sentexp.errors import SentexpError
from sentexp.machine.cores import available_cores
from sentexp.sweep import worker
from sentexp.sweep.side_by_side import in_order, side_by_side

if TYPE_CHECKING:
    from ray import ObjectRef

CONNECT_SECONDS = 3.0
"""Time for a cluster to answer. Ray itself would try for minutes."""

RECORD_SECONDS = 3.0
"""Time for jobs that have been told to end, so that they can record it."""


class RayLauncher(Launcher):
    """Runs each job as a Ray task with `num_cpus` cores and `num_gpus` GPUs. Without `address`, starts Ray here.

    If a job's worker or node dies, Ray runs the job a second time; if that dies too, the job has failed.
    """

    def __init__(self, address: str | None, num_cpus: int, num_gpus: float) -> None:
        self._address = address
        self._each = {"CPU": num_cpus, "GPU": num_gpus}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        require("ray", "ray", config)
        if self._each["CPU"] < 1:
            raise SentexpError(f"hydra.launcher.num_cpus={self._each['CPU']}: expected a number from 1")
        if self._each["GPU"] < 0:
            raise SentexpError(f"hydra.launcher.num_gpus={self._each['GPU']}: expected a number from 0")
        self._shared = (hydra_context, task_function, config)

    @functools.cached_property
    def width(self) -> int:
        """Return how many jobs the nodes have cores and GPUs for. The first call starts Ray, or connects to it.

        Raises SentexpError if no cluster answers or none of its nodes can take a job.
        """
        import ray

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # the user's own choice wins
        if not ray.is_initialized():
            cores = available_cores()[0] if self._address is None else None
            if self._address is not None:
                _check_reachable(os.environ.get("RAY_ADDRESS", "auto") if self._address == "auto" else self._address)
            try:
                ray.init(self._address or "local", num_cpus=cores, log_to_driver=False, logging_level=logging.ERROR)
            except ConnectionError as error:
                why = "the Ray cluster refuses this driver (if it wants a token, set RAY_AUTH_TOKEN)"
                raise _no_cluster(str(self._address), why) from error
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        asked = {kind: amount for kind, amount in self._each.items() if amount}
        width = sum(min(int(node.get(kind, 0) / amount) for kind, amount in asked.items()) for node in nodes)
        if width == 0:
            most = {kind: max(node.get(kind, 0) for node in nodes) for kind in asked}
            there = " and ".join(f"{most[kind]:g} {kind}s" for kind in asked)
            raise SentexpError(
                f"hydra.launcher.num_cpus={self._each['CPU']}, num_gpus={self._each['GPU']}: no node of this Ray "
                f"has so many; expected at most {there}"
            )
        return width

    @functools.cached_property
    def _packed(self) -> ObjectRef[bytes]:
        import ray

        return ray.put(worker.Sweep.packed(*self._shared))

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return in_order(self.stream(enumerate(job_overrides, initial_job_idx)))

    def stream(
        self, jobs: Iterable[tuple[int, Sequence[str]]], at_once: int | None = None
    ) -> Generator[tuple[int, JobReturn], None, None]:
        assert self.width  # connects to Ray
        import ray

        task = ray.remote(num_cpus=self._each["CPU"], num_gpus=self._each["GPU"], max_retries=1)(worker.run)

        def start(some: list[tuple[int, Sequence[str]]]) -> Iterator[ObjectRef[bytes]]:
            for number, overrides in some:
                yield task.remote(self._packed, list(overrides), number)

        def wait(references: list[ObjectRef[bytes]]) -> list[ObjectRef[bytes]]:
            return ray.wait(references, num_returns=1)[0]

        ended = side_by_side(jobs, at_once, start=start, wait=wait, end=self._end)
        with closing(ended):
            for number, overrides, reference in ended:
                yield number, _collected(reference, overrides)

    def _end(self, references: list[ObjectRef[bytes]]) -> None:
        """Cancel the jobs and disconnect from Ray; the next `launch` connects again."""
        import ray

        try:
            for reference in references:
                ray.cancel(reference)
            if references:
                ray.wait(references, num_returns=len(references), timeout=RECORD_SECONDS)
        finally:
            ray.shutdown()
            for name in ("width", "_packed"):
                self.__dict__.pop(name, None)


def _check_reachable(address: str) -> None:
    """Raise SentexpError if `address` is not HOST:PORT, or nothing listens there. `auto` is left to Ray to find."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise _no_cluster(address, "not an address")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise _no_cluster(address, f"no Ray cluster answers ({error})") from error


def _no_cluster(address: str, why: str) -> SentexpError:
    way_out = "expected HOST:PORT of `ray start --head`, or null to start Ray on this machine"
    return SentexpError(f"hydra.launcher.address={address}: {why}; {way_out}")


def _collected(reference: ObjectRef[bytes], overrides: Sequence[str]) -> JobReturn:
    import ray
    from ray.exceptions import RayError

    try:
        return worker.returned(ray.get(reference))
    except RayError as error:
        reason = " ".join(str(error).split())
        return worker.failed(overrides, worker.JobDied(f"its Ray worker died, twice: {reason[:200]}"))
