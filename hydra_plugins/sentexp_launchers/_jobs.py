"""What the launchers share: how a job gets to another process, runs there, and how its end comes back."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import logging
import os
import pickle
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from sentexp.errors import SentexpError, Terminated
from sentexp.machine.cores import available_cores
from sentexp.redact import without_passwords

log = logging.getLogger(__name__)

CARRIED = ("SENTEXP_", "MLFLOW_")
"""Variables of the driver's environment that a process on another machine would not see."""

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
"""Libraries that read <name>_NUM_THREADS once, when they are imported."""


Handle = TypeVar("Handle")
"""Of a job that a launcher has started."""


class JobDied(RuntimeError):
    """A job's process has ended without the job's result; the message says how."""


@dataclass(frozen=True)
class Sweep:
    """What all jobs of a sweep have in common, as another process needs it."""

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
        """What is to lie on a disk goes without the passwords of the environment."""
        import cloudpickle

        carried = {name: value for name, value in os.environ.items() if name.startswith(CARRIED)}
        environment = {name: value for name, value in carried.items() if not (on_disk and _is_secret(name, value))}
        sweep = Sweep(hydra_context, task_function, config, Singleton.get_state(), os.getcwd(), environment)
        return cloudpickle.dumps(sweep)


def _is_secret(name: str, value: str) -> bool:
    return name.endswith(("PASSWORD", "TOKEN")) or without_passwords(value) != value


@functools.lru_cache(maxsize=1)  # a process may run many jobs, and Hydra's state brings a scan of all its plugins
def _unpacked(packed: bytes) -> Sweep:
    sweep: Sweep = pickle.loads(packed)
    Singleton.set_state(sweep.singletons)
    setup_globals()
    os.environ.update(sweep.environment)
    return sweep


def run(packed: bytes, overrides: Sequence[str], number: int, job_id: str | None = None) -> bytes:
    """Runs one job in this process, as in the driver's folder; gives what `returned` reads.

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
    # the two configurations stay behind: a thousand of them would fill the driver
    small = JobReturn(overrides=list(overrides), status=result.status, _return_value=result._return_value)
    try:
        outcome = cloudpickle.dumps(small)
        pickle.loads(outcome)
    except Exception as error:
        told = small._return_value if small.status == JobStatus.FAILED else error
        outcome = cloudpickle.dumps(failed(overrides, JobDied(f"{type(told).__name__}: {told}")))
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
    """What this process, its libraries and its children print inside is appended to the file."""
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


def side_by_side(
    job_overrides: Iterable[Sequence[str]],
    at_once: int | None,
    *,
    start: Callable[[list[tuple[int, Sequence[str]]]], Iterable[Handle]],
    wait: Callable[[list[Handle]], Iterable[Handle]],
    end: Callable[[list[Handle]], None],
) -> Generator[tuple[int, Sequence[str], Handle], None, None]:
    """Each job's place, overrides and handle when it has ended.

    The next job is asked for when fewer than `at_once` are under way (None: any number). `start` is given jobs with
    their places, and `wait` what is under way, of which it gives those, at least one, that have ended. `end` is told to
    end what is under way when anything goes wrong: Ctrl-C, SIGTERM, or nobody wants the rest.
    """
    coming = enumerate(job_overrides)
    under_way: dict[Handle, tuple[int, Sequence[str]]] = {}
    try:
        while True:
            batch = list(itertools.islice(coming, None if at_once is None else at_once - len(under_way)))
            if batch:
                for handle, job in zip(start(batch), batch, strict=True):
                    under_way[handle] = job
            if not under_way:
                return
            for handle in wait(list(under_way)):
                yield *under_way.pop(handle), handle
    except BaseException:
        try:
            end(list(under_way))
        except Exception as error:  # it must not hide what went wrong
            log.warning("could not end the jobs that run: %s", error)
        raise


def in_order(ended: Iterable[tuple[int, JobReturn]]) -> list[JobReturn]:
    """What Hydra expects of a launcher."""
    return [result for _, result in sorted(ended, key=lambda one: one[0])]


def returned(outcome: bytes) -> JobReturn:
    result: JobReturn = pickle.loads(outcome)
    return result


def failed(overrides: Sequence[str], error: Exception) -> JobReturn:
    return JobReturn(overrides=list(overrides), status=JobStatus.FAILED, _return_value=error)


def require(module: str, extra: str, config: DictConfig) -> None:
    """Raises SentexpError if the extra that brings `module` is not installed."""
    if importlib.util.find_spec(module) is None:
        name = config.hydra.runtime.choices["hydra/launcher"]
        raise SentexpError(
            f"hydra/launcher={name}: needs the extra {extra}: pip install -c constraints.txt -e '.[{extra}]'"
        )


def share_cores(n_jobs: int) -> tuple[int, dict[str, str]]:
    """Jobs side by side on this machine, and the environment in which each keeps to its share of the cores.

    n_jobs=-1 is one a core. Raises SentexpError for other numbers below 1.
    """
    if n_jobs < 1 and n_jobs != -1:
        raise SentexpError(f"hydra.launcher.n_jobs={n_jobs}: expected a number from 1, or -1 for one per core")
    cores, _ = available_cores()
    width = cores if n_jobs == -1 else n_jobs
    return width, threads(max(1, cores // width))


def threads(count: int) -> dict[str, str]:
    """The environment that holds numeric libraries to `count` threads, if it is there before they are imported."""
    return {f"{name}_NUM_THREADS": str(count) for name in THREADS}


def end_like_the_driver() -> None:
    """SIGTERM unwinds this process, so that the job's recorded run ends as killed."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(signal_number: int, _frame: Any) -> NoReturn:
    raise Terminated(128 + signal_number)
