"""Where MLflow's pages show a run."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from sentexp.redact import without_passwords

LOCAL_SERVER = "http://127.0.0.1:5000"
"""Address of the pages that `mlflow ui` starts."""


def ui_command(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the shell command that opens MLflow's pages: on the store at `uri`, or if it is a server, on the run."""
    if uri.startswith(("http://", "https://")):
        return shlex.join(["python", "-m", "webbrowser", page(uri, experiment_id, run_id)])
    # outside of the activated environment `mlflow` is another environment's, or not there
    beside = Path(sys.executable).parent
    on_path = shutil.which("mlflow")
    program = ["mlflow"] if on_path and Path(on_path).parent == beside else [sys.executable, "-m", "mlflow"]
    address = shlex.quote(uri)
    if without_passwords(uri) != uri:
        address = '"$MLFLOW_TRACKING_URI"'
    return f"{shlex.join([*program, 'ui', '--backend-store-uri'])} {address}"


def page(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the address of the run's page: on the server at `uri`, or on one that `ui_command` starts."""
    server = without_passwords(uri).rstrip("/") if uri.startswith(("http://", "https://")) else LOCAL_SERVER
    return f"{server}/#/experiments/{experiment_id}/runs/{run_id}"
