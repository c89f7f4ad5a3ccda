"""CPU, memory and GPU of a run over time, measured by MLflow's own monitor."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 5.0
"""Seconds that the monitor gets to end; it may be waiting for a server that does not answer."""


@contextmanager
def system_metrics(uri: str, run_id: str, *, goes_on: bool = False) -> Iterator[None]:
    """Record a point of each system/ metric every ten seconds while the block runs; one that `goes_on` counts further.

    MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL changes the seconds. A store that fails ends the recording, not the block.
    """
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)  # the run itself tells if the store is away
    monitor = SystemMetricsMonitor(run_id, tracking_uri=uri, resume_logging=goes_on)
    monitor.start()
    try:
        yield
    finally:
        ending = threading.Thread(target=monitor.finish, daemon=True)
        ending.start()
        ending.join(PATIENCE)
