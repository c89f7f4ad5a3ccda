from __future__ import annotations

import time
from pathlib import Path

import mlflow
import pytest

from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.tracking.system_metrics import system_metrics


def test_a_run_in_a_folder_of_its_own_has_system_metrics(
    store_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    for wanted in (True, False):
        with MlflowTracker(store_uri, "tests", system_metrics=wanted).run(folder=tmp_path) as run:
            run_id = run.location().run_id
            time.sleep(0.5 if wanted else 0.2)
        metrics = mlflow.MlflowClient(store_uri).get_run(run_id).data.metrics
        assert ("system/cpu_utilization_percentage" in metrics) is wanted


def test_a_monitor_that_waits_for_its_server_does_not_hold_the_run_up(store_uri: str, monkeypatch) -> None:
    monkeypatch.setattr("sentexp.tracking.system_metrics.PATIENCE", 0.1)
    monitor = "mlflow.system_metrics.system_metrics_monitor.SystemMetricsMonitor"
    monkeypatch.setattr(f"{monitor}.start", lambda self: None)
    monkeypatch.setattr(f"{monitor}.finish", lambda self: time.sleep(60))
    began = time.monotonic()
    with system_metrics(store_uri, "0"):
        pass
    assert time.monotonic() - began < 30
