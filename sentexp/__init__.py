"""Compose, train and compare LSTM sentiment experiments."""

__version__ = "0.1.0"
