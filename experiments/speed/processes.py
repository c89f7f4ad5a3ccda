"""Starts measurements as processes, reads their results, and watches the memory of each with all its children."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from worker import MARK

WORKER = Path(__file__).with_name("worker.py")
WATCH_SECONDS = 0.1


class MeasurementFailed(RuntimeError):
    """A measurement ended badly; the message holds the end of what it printed."""


def run_measurement(measure: str, **request: Any) -> list[dict[str, Any]]:
    """Run one measurement and return its results, each with `peak_mib`; see `watched`. Raises MeasurementFailed."""
    found = []
    for line, peak in watched([sys.executable, str(WORKER), json.dumps({"measure": measure, **request})]):
        if line.startswith(MARK):
            found.append(json.loads(line.removeprefix(MARK)) | {"peak_mib": peak})
    return found


def watched(command: Sequence[str], shared_once: bool = False) -> Iterator[tuple[str, float | None]]:
    """Yield each line that a command prints, with the most MiB so far that it and all its children held together.

    By default this is the sum of each living process's own peak. Pages that two of them share count twice, and the
    peaks need not coincide, so the true value is lower. `shared_once` counts a shared page once and samples once per
    second, because the kernel needs some time for it. None where there is no /proc.

    Raises MeasurementFailed if the command fails.
    """
    held, every = (_proportional_mib, 1.0) if shared_once else (_peak_mib, WATCH_SECONDS)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
    assert process.stdout is not None
    peak: float | None = None
    printed: list[str] = []
    try:
        with DefaultSelector() as selector:
            selector.register(process.stdout, EVENT_READ)
            while True:
                ready = selector.select(every)
                now = tree_mib(process.pid, held)
                if now is not None:
                    peak = max(now, peak or 0.0)
                if not ready:
                    continue
                line = process.stdout.readline()
                if not line:
                    break
                printed.append(line)
                yield line, peak
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
    if process.returncode:
        raise MeasurementFailed(f"{' '.join(command)[:200]}: status {process.returncode}\n{''.join(printed[-30:])}")


def tree_mib(pid: int, held: Callable[[int], float | None]) -> float | None:
    own = held(pid)
    if own is None:
        return None
    return own + sum(tree_mib(child, held) or 0.0 for child in _children(pid))


def _peak_mib(pid: int) -> float | None:
    return _mib_from_proc(pid, "status", "VmHWM:")


def _proportional_mib(pid: int) -> float | None:
    return _mib_from_proc(pid, "smaps_rollup", "Pss:")


def _mib_from_proc(pid: int, file: str, name: str) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:  # it has ended, or there is no /proc
        return None
    sizes = [line.split()[1] for line in lines if line.startswith(name)]
    return int(sizes[0]) / 1024 if sizes else None


def _children(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in file.read_text().split()]
        except OSError:
            continue
    return found


def products(processes: int, threads: int, device: str, precision: str, seconds: float) -> dict[str, float]:
    """Measure the FLOP/s of matrix products in `processes` processes at once, added up."""
    request = {"measure": "products", "threads": threads, "device": device, "precision": precision, "seconds": seconds}
    command = [sys.executable, str(WORKER), json.dumps(request)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()  # ready
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = []
    for process in started:
        printed, _ = process.communicate()
        if process.returncode:
            raise MeasurementFailed(f"matrix products: status {process.returncode}")
        found.append(json.loads(printed.strip().splitlines()[-1].removeprefix(MARK)))
    return {name: sum(one[name] for one in found) for name in found[0]}
