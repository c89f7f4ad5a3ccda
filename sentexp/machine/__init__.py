"""The machine that a process runs on: cores, signals, device and precision, memory, child processes.

Importing this package imports nothing heavy; `choose` and `denormals` import torch.
"""
