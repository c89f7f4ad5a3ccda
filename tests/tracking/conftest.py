from __future__ import annotations

from pathlib import Path

import pytest

from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.tracking.store import open_store


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an MLflow store, made once because that takes seconds; careless addresses break on its name."""
    folder = tmp_path_factory.mktemp("a stored é")
    open_store(f"sqlite:///{folder}/mlflow.db", "first")
    return folder


@pytest.fixture(scope="session")
def store_uri(store_folder: Path) -> str:
    return f"sqlite:///{store_folder}/mlflow.db"


@pytest.fixture
def tracker(store_uri: str) -> MlflowTracker:
    return MlflowTracker(store_uri, experiment="tests", tags={"study": "speed"})
