"""The machine that a process runs on: cores, device and precision, memory, signals, child processes.

Importing this package imports nothing heavy; its modules `choose`, `device`, `workload` and `denormals` import torch.
"""
