"""Where a run is recorded: MLflow, or nowhere. Importing this package imports neither torch nor MLflow."""
