"""Sweeps: many runs of one experiment, recorded in one Optuna study. Importing this package imports nothing heavy."""
