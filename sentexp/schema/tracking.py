"""The keys of tracking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from sentexp.schema.keys import key


@dataclass
class MlflowConfig:
    _target_: str = "sentexp.tracking.mlflow_tracker.MlflowTracker"
    uri: Optional[str] = key()
    """MLflow's tracking URI; null is sqlite:///mlflow.db in the current folder."""
    experiment: str = key()
    """Name of the MLflow experiment that holds the run."""
    run_name: Optional[str] = key()
    """Name of the run."""
    register: Optional[str] = key(pattern=r"[^@/:]+(@[A-Za-z][\w.-]*)?", expected="NAME or NAME@ALIAS")
    """Registered model that the trained model becomes a version of."""
    system_metrics: bool = key()
    """Record CPU, memory and GPU over time."""
    log_model: bool = key()
    """Record the trained model with the run."""

    def problems(self) -> Iterator[str]:
        if self.register is not None and not self.log_model:
            yield f"tracking.register={self.register}: expected tracking.log_model=true beside it"


@dataclass
class NoTrackingConfig:
    _target_: str = "sentexp.tracking.none.NoTracking"
