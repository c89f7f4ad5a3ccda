"""A driver for tests: `drive.py hydra/launcher=pool do=5 do=raise ...` launches one job per `do`.

Prints the launcher's width, and then for each job its status and what it returned or how it failed, as JSON. Arguments
that begin with `hydra` are for the whole sweep.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.compose import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

import sentexp.config
from sentexp.errors import SentexpError, Terminated
from sentexp.machine.signals import unwind_on_sigterm
from sentexp.private_interfaces import return_value

HERE = Path(__file__).resolve().parent


class Awkward(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("awkward")
        self.lock = threading.Lock()


def task(config: DictConfig) -> Any:
    numpy_was_there = "numpy" in sys.modules
    hydra = HydraConfig.get()
    if isinstance(config.do, int):
        time.sleep(0.2 if config.do % 2 == 0 else 0.0)  # so that jobs end in another order than they begin
        return 10 * config.do
    if config.do == "raise":
        raise ValueError("raised")
    if config.do == "awkward":
        raise Awkward
    if config.do == "sys.exit":
        sys.exit(3)
    if config.do == "exit":
        os._exit(3)
    if config.do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.do == "print":
        print("printed")
        print("complained", file=sys.stderr)
        os.system("echo a child printed")
    if config.do == "once":  # dies the first time
        try:
            Path("tried").touch(exist_ok=False)
        except FileExistsError:
            return "second"
        os._exit(3)
    if config.do == "wait":
        try:
            Path(f"{os.getpid()}.pid").touch()
            for _ in range(600):  # in steps: Ray interrupts Python, not a system call
                time.sleep(0.1)
        except (KeyboardInterrupt, Terminated) as end:
            Path(f"{os.getpid()}.unwound").write_text(type(end).__name__)
            raise
    return {
        "pid": os.getpid(),
        "cwd": os.getcwd(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "numpy": numpy_was_there,
        "carried": os.environ.get("SENTEXP_CARRIED"),
        "folder": hydra.runtime.output_dir,
        "number": hydra.job.num,
    }


def _is_whole(one: JobReturn) -> bool:
    return one.cfg is not None and one.hydra_cfg.hydra.runtime.output_dir is not None and one.task_name is not None


def main(arguments: list[str]) -> None:
    unwind_on_sigterm()
    whole = [argument for argument in arguments if argument.startswith("hydra")]
    jobs = [[argument] for argument in arguments if not argument.startswith("hydra")]
    search = f"hydra.searchpath=[file://{sentexp.config.conf_dir()}]"
    with initialize_config_dir(str(HERE / "conf"), version_base="1.3"):
        config = compose("config", overrides=[search, *whole], return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks(config))
        launcher = Plugins.instance().instantiate_launcher(context, task, config)
        print(json.dumps(launcher.width))  # type: ignore[attr-defined]
        for one in launcher.launch(jobs, initial_job_idx=int(os.environ.get("FIRST", "0"))):
            told = return_value(one)
            text = f"{type(told).__name__}: {told}" if isinstance(told, BaseException) else told
            print(json.dumps([one.status.name, text, one.overrides, _is_whole(one)]), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SentexpError as error:
        sys.exit(str(error))
