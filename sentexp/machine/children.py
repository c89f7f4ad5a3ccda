"""Child processes: spawned, remembered, and ended with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext
from typing import Any

from sentexp.private_interfaces import is_being_spawned

UNGUARDED = "in a script, what calls sentexp has to stand under `if __name__ == '__main__':`"


def is_a_script() -> bool:
    """Return True if the program is a file of the user's, which a spawned process runs once more."""
    main = sys.modules["__main__"]
    return getattr(main, "__file__", None) is not None and getattr(main, "__spec__", None) is None


def refuse_second_start() -> None:
    """End this process with one line if it has been spawned and is only running the user's script once more."""
    if is_being_spawned():
        raise SystemExit(f"sentexp: a process of the training is running the script again; {UNGUARDED}")


class RememberingContext(SpawnContext):
    """Spawns processes and remembers them, so that they can be ended even while a pool waits for them.

    Spawns, because a fork of a process with threads (torch has some) can hang.
    """

    def __init__(self) -> None:
        self.started: list[Any] = []

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        process = SpawnContext.Process(*args, **kwargs)
        self.started = [*(before for before in self.started if before.is_alive()), process]
        return process

    def end(self, seconds: float) -> None:
        """Wait for all to end by themselves, and send SIGTERM to those that have not after so many seconds."""
        deadline = time.monotonic() + seconds
        running = {process.sentinel for process in self.started}
        while running and (left := deadline - time.monotonic()) > 0:
            running -= set(wait(running, timeout=left))
        self.terminate()

    def terminate(self) -> None:
        """Send SIGTERM to all that are still alive."""
        for process in self.started:
            if process.is_alive():
                process.terminate()


def end_with_parent() -> None:
    """Let this child process end as soon as its parent does, even a parent that is killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def how_it_ended(exitcode: int) -> str:
    """Say how a process ended: `ended with status 3`, `was ended by SIGKILL (out of memory?)`."""
    if exitcode >= 0:
        return f"ended with status {exitcode}"
    name = signal.Signals(-exitcode).name
    return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
