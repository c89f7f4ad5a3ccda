"""Reads back what a test has recorded."""

from __future__ import annotations

from typing import Any

import mlflow

from sentexp.tracking.mlflow_run import MlflowRun


def recorded(run: MlflowRun) -> Any:
    return run._client.get_run(run.run_id)


def artifact(run: MlflowRun, path: str) -> str:
    return mlflow.artifacts.load_text(f"{recorded(run).info.artifact_uri}/{path}")
