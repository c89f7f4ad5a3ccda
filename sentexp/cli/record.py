"""`sentexp record FOLDER`: record a run whose store was away."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--tracking-uri", metavar="URI", help="MLflow's store; by default that of the run.")
@click.option(
    "--trust",
    is_flag=True,
    help="Run code outside of sentexp that the model names, and send your password to its store.",
)
def command(folder: Path, tracking_uri: str | None, trust: bool) -> None:
    """Record a run that its MLflow store did not take as a whole.

    A run whose store is away goes on, and keeps what it would have recorded in its output folder, FOLDER. If the store
    has the run already, it is continued; in another store it is made anew.

    \b
      sentexp record outputs/2026-11-26/21-40-00.123456
      sentexp record outputs/2026-11-26/21-40-00.123456 --tracking-uri http://127.0.0.1:5000
    """
    from sentexp.tracking.journal import record_folder
    from sentexp.tracking.mlflow_tracker import MlflowTracker

    location = record_folder(folder, MlflowTracker, tracking_uri, trust=trust)
    assert location is not None  # an MLflow run is somewhere
    print(f"run {location.run_name} of experiment {location.experiment}: {location.uri}")
    print(*location.lines(), sep="\n")
