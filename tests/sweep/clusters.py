"""Clusters for tests, all of them on this machine: two Ray nodes, and a Slurm that is a script."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

STANDIN = Path(__file__).parent / "slurm_standin.py"

RANDOM_PORTS = ("--min-worker-port=0", "--max-worker-port=0")


class RayCluster:
    """A head and a second node with `num_cpus` each."""

    def __init__(self, num_cpus: int, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._num_cpus = num_cpus
        self._folder = folder
        port = self.address.rpartition(":")[2]
        self._head = ("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false")
        self._nodes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        for arguments in (self._head, (f"--address={self.address}",)):
            self._nodes.append(self._start(*arguments))
            self._wait()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        command = [*ray, *arguments, *RANDOM_PORTS, f"--num-cpus={self._num_cpus}"]
        with open(self._folder / "start.log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while (said := (self._folder / "start.log").read_text()).count("Ray runtime started") < len(self._nodes):
            assert time.monotonic() < until, said
            time.sleep(0.2)

    def kill_second_node(self) -> None:
        node = self._nodes[1].pid
        children = Path(f"/proc/{node}/task/{node}/children").read_text().split()
        (raylet,) = (pid for pid in children if "raylet/raylet" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(int(raylet), signal.SIGKILL)

    def end(self) -> None:
        for node in reversed(self._nodes):
            node.terminate()
        for node in self._nodes:
            node.wait(timeout=60)


@contextmanager
def ray_cluster(num_cpus: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[RayCluster]:
    """One that takes no other driver than those which the test starts: Ray's nodes listen to the whole network."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # pytest's own are too long for the names of Ray's sockets
    cluster = RayCluster(num_cpus, folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def slurm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Its commands are on the PATH, and its jobs end with the block."""
    (folder / "bin").mkdir()
    for name in ("sbatch", "srun", "squeue", "sacct", "scancel"):
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(STANDIN), name])} "$@"\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STANDIN_SLURM", str(folder / "slurm"))
    try:
        yield
    finally:
        jobs = [path.stem for path in (folder / "slurm").glob("*.sh")]
        subprocess.run(["scancel", *jobs], check=True)
