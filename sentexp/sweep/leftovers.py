"""Jobs that a killed driver has left behind on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

from sentexp.sweep.ledger import process_start

PATIENCE_SECONDS = 10.0


def kill(entries: Iterable[Mapping[str, Any]]) -> None:
    """Ends the processes of jobs that are said to run here, and waits until they are gone.

    A process that has got the number of a dead one since is left alone.
    """
    killed = []
    for entry in entries:
        if entry["state"] != "running" or entry["host"] != socket.gethostname() or entry["pid"] == os.getpid():
            continue
        if entry["process_start"] is not None and process_start(entry["pid"]) == entry["process_start"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry["pid"], signal.SIGKILL)
                killed.append(entry)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and any(process_start(one["pid"]) == one["process_start"] for one in killed):
        time.sleep(0.05)
