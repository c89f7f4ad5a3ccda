"""Runs one job of a sweep in another process: how the job gets there, and how its result comes back."""

from __future__ import annotations

import functools
import os
import pickle
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from sentexp.errors import Terminated, one_line
from sentexp.private_interfaces import return_value
from sentexp.redact import SECRET_NAME, without_passwords

CARRIED = ("SENTEXP_", "MLFLOW_")
"""Prefixes of the driver's environment variables that a process on another machine would not see."""


class JobDied(RuntimeError):
    """A job's process ended without giving the job's result; the message says how."""


@dataclass(frozen=True)
class Sweep:
    """Everything that the jobs of a sweep share, as another process needs it."""

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    singletons: Any
    folder: str
    environment: dict[str, str]

    @staticmethod
    def packed(
        hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig, *, on_disk: bool = False
    ) -> bytes:
        """Pickle it. With `on_disk`, the passwords of the environment are left out."""
        import cloudpickle

        carried = {name: value for name, value in os.environ.items() if name.startswith(CARRIED)}
        environment = {name: value for name, value in carried.items() if not (on_disk and _is_secret(name, value))}
        sweep = Sweep(hydra_context, task_function, config, Singleton.get_state(), os.getcwd(), environment)
        return cloudpickle.dumps(sweep)


class PackedReturn(JobReturn):
    """A job's result whose two configurations are unpacked when they are asked for.

    Packed they take 5 kB, unpacked 170: those of a thousand jobs would fill the driver.
    """

    @staticmethod
    def of(result: JobReturn) -> PackedReturn:
        packed = PackedReturn(
            overrides=result.overrides,
            cfg=result.cfg,
            hydra_cfg=result.hydra_cfg,
            working_dir=result.working_dir,
            task_name=result.task_name,
            status=result.status,
        )
        packed.return_value = return_value(result)
        return packed

    @property
    def cfg(self) -> DictConfig | None:
        return _unpack(self._cfg)

    @cfg.setter
    def cfg(self, value: DictConfig | None) -> None:
        self._cfg = _pack(value)

    @property
    def hydra_cfg(self) -> DictConfig | None:
        return _unpack(self._hydra_cfg)

    @hydra_cfg.setter
    def hydra_cfg(self, value: DictConfig | None) -> None:
        self._hydra_cfg = _pack(value)


def _pack(config: DictConfig | None) -> bytes | None:
    return None if config is None else zlib.compress(pickle.dumps(config))


def _unpack(packed: bytes | None) -> DictConfig | None:
    return None if packed is None else pickle.loads(zlib.decompress(packed))


def _is_secret(name: str, value: str) -> bool:
    return re.search(SECRET_NAME, name) is not None or without_passwords(value) != value


@functools.lru_cache(maxsize=1)  # a process may run many jobs, and Hydra's state brings a scan of all its plugins
def _unpacked(packed: bytes) -> Sweep:
    sweep: Sweep = pickle.loads(packed)
    Singleton.set_state(sweep.singletons)
    setup_globals()
    os.environ.update(sweep.environment)
    return sweep


def run(packed: bytes, overrides: Sequence[str], number: int, job_id: str | None = None) -> bytes:
    """Run one job in this process, in the driver's folder; return its pickled result for `returned`.

    What the job prints goes to output.log in its folder. Whatever it raises, a composition error included, makes it a
    failed job; only Terminated and KeyboardInterrupt end the process.
    """
    import cloudpickle

    try:
        result = _run(_unpacked(packed), overrides, number, str(number) if job_id is None else job_id)
    except Terminated:
        raise
    except SystemExit as end:
        result = failed(overrides, JobDied(f"called sys.exit({end.code})"))
    except Exception as error:
        result = failed(overrides, error)
    small = PackedReturn.of(result)
    try:
        outcome = cloudpickle.dumps(small)
        pickle.loads(outcome)
    except Exception as error:
        told = return_value(small) if small.status == JobStatus.FAILED else error
        outcome = cloudpickle.dumps(failed(overrides, JobDied(one_line(told))))
    return outcome


def _run(sweep: Sweep, overrides: Sequence[str], number: int, job_id: str) -> JobReturn:
    os.chdir(sweep.folder)
    config = sweep.hydra_context.config_loader.load_sweep_config(sweep.config, list(overrides))
    with open_dict(config.hydra.job):
        config.hydra.job.id = job_id
        config.hydra.job.num = number
    HydraConfig.instance().set_config(config)
    folder = Path(config.hydra.sweep.dir) / str(OmegaConf.select(config, "hydra.sweep.subdir"))
    with _output_to(folder / "output.log"):
        return run_job(
            hydra_context=sweep.hydra_context,
            task_function=sweep.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Append to the file what this process, its libraries and its children print inside the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with path.open("ab") as file:
        for descriptor in kept:
            os.dup2(file.fileno(), descriptor)
    # never closed: loggers hold on to them after the job, and then they write where the process did before
    out = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    err = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        out.flush()
        err.flush()
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def returned(outcome: bytes) -> JobReturn:
    """Unpickle what `run` returned."""
    result: JobReturn = pickle.loads(outcome)
    return result


def failed(overrides: Sequence[str], error: Exception) -> JobReturn:
    """Make the result of a job that ended with `error`."""
    result = JobReturn(overrides=list(overrides), status=JobStatus.FAILED)
    result.return_value = error
    return result
