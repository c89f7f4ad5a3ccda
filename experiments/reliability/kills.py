"""Kills real trainings at random moments, lets them go on, and compares them with one that was never stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from sentexp import checkpoint_files

TRAINING = (
    "data.size=3000", "trainer.epochs=5", "trainer.log_every=5", "trainer.precision=fp32", "trainer.device=cpu",
    "model.hidden_size=32", "model.output_dropout=0.3", "schedule=one_cycle", "evaluation.baseline=false",
    "tracking.system_metrics=false",
)  # fmt: skip
"""A training of a few seconds with dropout, a schedule and Adam, all of which must be taken up where they were."""

OFTEN = "trainer.checkpoint_minutes=0.005"
"""A checkpoint every 0.3 seconds."""

CHANGING = ("second", "system/")
"""Parts of the names of metrics that time decides."""


@dataclass(frozen=True)
class Outcome:
    """What became of a training that was killed."""

    steps: tuple[int | None, ...]
    """For each kill the step of the checkpoint from which it went on; None if it had none yet, and began anew."""
    problems: tuple[str, ...]
    """How it differs from the one that was never stopped, and what was left behind."""


class Trainings:
    """Trainings in a folder of their own, with one MLflow store, one cache and one folder for temporary files."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self._folder = folder
        self._arguments = tuple(arguments)
        self._temporary = folder / "temporary"
        self._temporary.mkdir(parents=True)
        with self._started([*self._arguments, "hydra.run.dir=whole"]) as program:
            self._starting = self._seconds_until_it_trains(program)
            self._training = self._seconds_until_it_trains(program, to_its_end=True)
        if program.returncode != 0:
            raise RuntimeError(self._output())
        self._whole = _weights(folder / "whole")
        self._points = self._recorded("whole")

    def kill(self, name: str, times: int, chance: random.Random) -> Outcome:
        """Kill a training so many times, each at a random moment after its start, then let it end."""
        words, output = [*self._arguments, OFTEN, f"hydra.run.dir={name}"], self._folder / name
        steps: list[int | None] = []
        ended = False
        while not ended and len(steps) < times:
            ended = not self._killed(words, chance)
            if checkpoint_files.there(output):
                words = [f"trainer.resume={output.name}"]
                steps.append(_step(output))
            elif (output / "model" / "model.json").exists():  # killed in its last moments, when all was done
                ended = True
            else:  # killed before its first checkpoint: it begins anew
                output = self._folder / f"{name}_{len(steps) + 1}"
                words = [*self._arguments, OFTEN, f"hydra.run.dir={output.name}"]
                steps.append(None)
        if not ended:
            self._run(words)
        return Outcome(tuple(steps), tuple(self._problems(output)))

    def _problems(self, output: Path) -> list[str]:
        problems = []
        weights = _weights(output)
        if not all(torch.equal(weights[name], tensor) for name, tensor in self._whole.items()):
            problems.append("other weights")
        points = self._recorded(output.name)
        problems += [f"other points of {name}" for name in self._points if points.get(name) != self._points[name]]
        problems += [f"left behind: {path.relative_to(self._folder)}" for path in self._left(output)]
        problems += [f"still RUNNING: {run}" for run in self._running()]
        problems += [f"an orphan: {line}" for line in self._processes()]
        return problems

    def _recorded(self, name: str) -> dict[str, set[tuple[int, float]]]:
        """Return the points of each metric of a run, without those that time decides."""
        run = next(run for run in self._runs() if run.data.tags.get("output", "").endswith(f"/{name}"))
        return {
            metric: {(point.step, point.value) for point in self._client().get_metric_history(run.info.run_id, metric)}
            for metric in run.data.metrics
            if not any(part in metric for part in CHANGING)
        }

    def _running(self) -> list[str]:
        return [run.info.run_name for run in self._runs() if run.info.status == "RUNNING"]

    def _left(self, output: Path) -> list[Path]:
        unfinished = [path for path in output.rglob("*") if ".unfinished." in path.name or path.suffix == ".jsonl"]
        return [*unfinished, *(output / "checkpoints").glob("*"), *self._temporary.iterdir()]

    def _processes(self) -> list[str]:
        """Return the processes that have this folder in their command line or environment."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environment = (path / "environ").read_bytes()
            except OSError:
                continue
            if int(path.name) != os.getpid() and str(self._temporary).encode() in environment:
                found.append(path.name)
        return found

    def _client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(f"sqlite:///{self._folder}/mlflow.db")

    def _runs(self) -> list[Any]:
        client = self._client()
        return list(client.search_runs([client.get_experiment_by_name("sentexp").experiment_id]))

    def _killed(self, words: Sequence[str], chance: random.Random) -> bool:
        """Start a training and kill it, mostly while it trains. Returns False if it had ended before."""
        with self._started(words) as program:
            if chance.random() < 0.2:
                self._wait(program, chance.uniform(0, self._starting))
            else:
                self._seconds_until_it_trains(program)
                self._wait(program, chance.uniform(0, self._training))
            ended = program.poll() is not None
            program.send_signal(signal.SIGKILL)
        return not ended

    def _seconds_until_it_trains(self, program: subprocess.Popen[bytes], *, to_its_end: bool = False) -> float:
        """Return the seconds of processor time that the program has taken meanwhile, as many on a busy machine."""
        began = now = _processor_seconds(program)
        while program.poll() is None and (to_its_end or "processes: " not in self._output()):
            time.sleep(0.02)
            now = max(now, _processor_seconds(program))
        return now - began

    def _wait(self, program: subprocess.Popen[bytes], seconds: float) -> None:
        """Wait until the program has taken so many seconds of processor time, or has ended."""
        until = _processor_seconds(program) + seconds
        while program.poll() is None and _processor_seconds(program) < until:
            time.sleep(0.02)

    def _output(self) -> str:
        return (self._folder / "output.txt").read_text()

    def _run(self, words: Sequence[str]) -> None:
        with self._started(words) as program:
            if program.wait(600) != 0:
                raise RuntimeError(f"{' '.join(words)}: {self._output()}")

    def _started(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sentexp", *words]
        with (self._folder / "output.txt").open("w") as output:
            return subprocess.Popen(
                command, cwd=self._folder, env=self._environment(), stdout=output, stderr=subprocess.STDOUT
            )

    def _environment(self) -> Mapping[str, str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        return environment | {
            "SENTEXP_CACHE_DIR": str(self._folder / "cache"),
            "TORCHINDUCTOR_CACHE_DIR": str(self._folder / "compiled"),
            "TMPDIR": str(self._temporary),
        }


def _processor_seconds(program: subprocess.Popen[bytes]) -> float:
    """Return the seconds of processor time that the program itself has taken; 0 once it has ended."""
    try:
        times = psutil.Process(program.pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def killed(trainings: int, times: int, *further: str, seed: int = 0) -> list[Outcome]:
    """Kill so many trainings so many times each, one after the other; `further` are overrides of all of them."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        under_test = Trainings(Path(folder), [*TRAINING, *further])
        return [under_test.kill(f"killed{number}", times, chance) for number in range(trainings)]


def _step(output: Path) -> int:
    return int(checkpoint_files.newest(output).state.stem.partition("-")[2])


def _weights(output: Path) -> dict[str, torch.Tensor]:
    return torch.load(output / "model" / "weights.pt", weights_only=True)
