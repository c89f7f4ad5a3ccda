"""Runs jobs through submitit, each in a new process: on this machine, or on a Slurm cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from abc import abstractmethod
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from hydra.core.utils import JobReturn, env_override
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.sentexp_launchers.extras import require
from sentexp.errors import SentexpError, Terminated
from sentexp.machine.cores import share_cores, thread_limits
from sentexp.machine.signals import CLUSTERS_SIGNALS, interrupts_ignored, unwind_on_sigterm
from sentexp.sweep import worker
from sentexp.sweep.orphans import FOLDER, START
from sentexp.sweep.side_by_side import in_order, side_by_side

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

POLL_SECONDS = 0.1

RECORD_SECONDS = 3.0
"""Time for jobs that have been told to end, so that they can record it."""

LARGEST_ARRAY = 1000
"""Jobs per submission to Slurm, whose own limit (MaxArraySize) is 1001 unless set otherwise."""

COMMON = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb")
"""submitit's names of parameters for any cluster; those for Slurm alone have the prefix slurm_."""


class SubmititLauncher(Launcher):
    """Submits as many jobs at once as the cluster takes, and collects each result when its job has ended."""

    cluster: str
    """submitit's name of where the jobs run: local or slurm."""
    width: int
    at_once: int
    """How many jobs may be submitted and not yet ended."""
    late_seconds: float
    """How long after a job's end its result file may still appear."""
    lock: str | None = None
    """File that this process keeps locked while it lives; jobs end as soon as the lock is free."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        require("submitit", "submitit", config)
        self._shared = (hydra_context, task_function, config)
        self._private = Path(config.hydra.sweep.dir).absolute() / FOLDER
        self._folder = self._private / self.cluster
        self._packed: bytes | None = None

    @abstractmethod
    def _parameters(self) -> dict[str, Any]:
        """Return what submitit is told about each job."""

    @abstractmethod
    def _end(self, jobs: Sequence[Job[bytes]]) -> None:
        """Tell the jobs to end."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return in_order(self.stream(enumerate(job_overrides, initial_job_idx)))

    def stream(
        self, jobs: Iterable[tuple[int, Sequence[str]]], at_once: int | None = None
    ) -> Generator[tuple[int, JobReturn], None, None]:
        from submitit import AutoExecutor

        # without passwords, for submitit writes it to a file; a job inherits those in the driver's environment
        packed = self._packed = self._packed or worker.Sweep.packed(*self._shared, on_disk=True)
        self._make_folder()
        # a folder that nobody knew of before: the results that appear in it are unpickled, and those run as code
        executor = AutoExecutor(self._folder / f"{START}{uuid.uuid4().hex}" / "%j", cluster=self.cluster)
        executor.update_parameters(name=str(self._shared[2].hydra.job.name), **self._parameters())
        since: dict[str, float] = {}

        def start(some: list[tuple[int, Sequence[str]]]) -> list[Job[bytes]]:
            arguments = [(packed, list(asked), number, self.lock) for number, asked in some]
            return self._submit(executor, arguments)

        def is_over(job: Job[bytes]) -> bool:
            if not job.done():
                return False
            waited = time.monotonic() - since.setdefault(job.job_id, time.monotonic())
            return job.paths.result_pickle.exists() or waited >= self.late_seconds

        def wait(jobs: list[Job[bytes]]) -> list[Job[bytes]]:
            while not (over := [job for job in jobs if is_over(job)]):
                time.sleep(POLL_SECONDS)
            return over

        # jobs that come one by one are arrays of one job each, so Slurm could not limit how many run side by side
        most = self.at_once if at_once is None else min(at_once, self.width)
        ended = side_by_side(jobs, most, start=start, wait=wait, end=self._end)
        with closing(ended):
            for number, overrides, job in ended:
                yield number, _collected(job, overrides)

    def _make_folder(self) -> None:
        """Make the folder of submitit's files, which other users cannot read: they hold the whole configuration."""
        self._private.mkdir(parents=True, exist_ok=True)
        self._private.chmod(0o700)
        self._folder.mkdir(exist_ok=True)

    def _submit(self, executor: AutoExecutor, arguments: list[tuple[Any, ...]]) -> list[Job[bytes]]:
        return executor.map_array(_Job(), *zip(*arguments, strict=True))


class LocalLauncher(SubmititLauncher):
    """Runs `n_jobs` processes side by side, -1 for one per core. Each keeps to its share of the cores."""

    cluster = "local"
    late_seconds = 0.0

    def __init__(self, n_jobs: int, timeout_min: int, gpus_per_node: int) -> None:
        self._n_jobs = n_jobs
        self._each = {"timeout_min": timeout_min, "gpus_per_node": gpus_per_node}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.width, self._threads = share_cores(self._n_jobs)
        self.at_once = self.width

    def _parameters(self) -> dict[str, Any]:
        return self._each

    def _submit(self, executor: AutoExecutor, arguments: list[tuple[Any, ...]]) -> list[Job[bytes]]:
        with env_override(self._threads), interrupts_ignored():
            return super()._submit(executor, arguments)

    def stream(
        self, jobs: Iterable[tuple[int, Sequence[str]]], at_once: int | None = None
    ) -> Generator[tuple[int, JobReturn], None, None]:
        self._make_folder()
        # a new lock each time: a later driver in the same folder must not keep jobs of this one alive
        with FileLock(self._folder / f"{uuid.uuid4().hex}.lock") as lock:
            self.lock = str(lock.lock_file)
            yield from super().stream(jobs, at_once)

    def _end(self, jobs: Sequence[Job[bytes]]) -> None:
        for job in jobs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job.job_id), signal.SIGTERM)  # submitit's process, which passes it on to the job's
        until = time.monotonic() + RECORD_SECONDS
        while time.monotonic() < until and not all(job.done() for job in jobs):
            time.sleep(POLL_SECONDS)


class SlurmLauncher(SubmititLauncher):
    """Submits job arrays, of which `array_parallelism` jobs run side by side."""

    cluster = "slurm"
    at_once = LARGEST_ARRAY
    late_seconds = 15.0

    def __init__(self, array_parallelism: int, **parameters: Any) -> None:
        self.width = array_parallelism
        self._given = {"array_parallelism": array_parallelism} | parameters

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        if shutil.which("srun") is None:
            raise SentexpError(
                "hydra/launcher=submitit_slurm: this machine has no srun; expected one that submits to a Slurm cluster"
            )

    def _parameters(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for name, value in self._given.items()
            if value is not None
        }
        if "cpus_per_task" in given:
            pinned = thread_limits(given["cpus_per_task"])
            given["setup"] = [f"export {name}={value}" for name, value in pinned.items()]
        return {name if name in COMMON else f"slurm_{name}": value for name, value in given.items()}

    def _end(self, jobs: Sequence[Job[bytes]]) -> None:
        arrays = sorted({job.job_id.partition("_")[0] for job in jobs})
        if arrays:
            subprocess.run(["scancel", *arrays], check=False)


class _Job:
    """What submitit runs. A job that is preempted, or has had its time, is put back into the queue.

    It begins again with the same arguments, and its training goes on from its checkpoint.
    """

    def __call__(self, packed: bytes, overrides: Sequence[str], number: int, lock: str | None) -> bytes:
        from submitit import JobEnvironment

        unwind_on_sigterm()  # submitit ignores SIGTERM
        _unwind_on_preemption()
        if lock is not None:
            threading.Thread(target=_end_with_driver, args=(lock,), daemon=True).start()
        return worker.run(packed, overrides, number, JobEnvironment().job_id)

    def checkpoint(self, *arguments: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def _unwind_on_preemption() -> None:
    """Let the exit by which submitit ends a job that it has put back be an interruption, not a failure of the job."""

    def put_back(number: int, frame: FrameType | None, *, by_submitit: Any) -> None:
        try:
            by_submitit(number, frame)
        except SystemExit as error:
            raise Terminated(error.code) from error

    for number in CLUSTERS_SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):
            signal.signal(number, partial(put_back, by_submitit=handler))


def _end_with_driver(lock: str) -> None:
    FileLock(lock).acquire(poll_interval=0.5)
    os._exit(1)


def _collected(job: Job[bytes], overrides: Sequence[str]) -> JobReturn:
    if not job.paths.result_pickle.exists():
        how = f"its process ended without a result (submitit's job {job.job_id}, {job.state})"
        return worker.failed(overrides, worker.JobDied(how))
    try:
        return worker.returned(job.result())
    except Exception as error:
        return worker.failed(overrides, error)
