"""Record a run: in MLflow, or nowhere. Importing this package imports neither torch nor MLflow."""
