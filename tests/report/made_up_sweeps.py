"""Records of sweeps of several shapes, made up."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point
from sentexp.sweep.results import SweepResults


def epochs(count: int, highest: float) -> list[dict[str, float]]:
    def accuracy(epoch: int) -> float:
        return highest - (highest - 0.5) * math.exp(-epoch / 2)

    return [{"epoch": e, "train/loss": 0.7 / e, "valid/accuracy": accuracy(e)} for e in range(1, count + 1)]


def job(
    number: int,
    point: Sequence[str],
    *values: float,
    state: str = "finished",
    seed: int | None = None,
    trained: int = 4,
) -> JobRecord:
    finished = state == "finished"
    return JobRecord(
        number=number,
        point=Point(tuple(point)),
        seed=seed,
        state=state,
        values=values if finished else None,
        metrics={"best/epoch": 3.0, "test/accuracy": values[0] - 0.1} if finished else {},
        history=[] if state == "waiting" else epochs(trained, values[0] if values else 0.6),
        seconds=None if state in ("waiting", "running") else 12.345,
        error="RuntimeError: out of <memory>" if state == "failed" else None,
        run_id=None if state == "waiting" else f"{number:032x}",
        folder=str(number),
    )


def sweep(
    folder: Path,
    swept: Sequence[str],
    jobs: Sequence[JobRecord],
    metrics: Sequence[str] = ("best/valid_accuracy",),
    directions: Sequence[str] = ("maximize",),
) -> SweepResults:
    return SweepResults(
        folder=folder,
        name=folder.name,
        metrics=tuple(metrics),
        directions=tuple(directions),
        swept=tuple(swept),
        jobs=list(jobs),
        config={},
        choices={},
        launcher="basic",
        parent_run_id=None,
    )


def grid(folder: Path) -> SweepResults:
    """Eight jobs, the last with both is the best: 0.70 to 0.83."""
    axes = (("false", "true"), (1, 2), (64, 128))
    jobs = [
        job(number, [f"model.bidirectional={b}", f"model.num_layers={n}", f"model.hidden_size={h}"],
            0.7 + 0.08 * (b == "true") + 0.03 * (n == 2) + 0.02 * (h == 128))
        for number, (b, n, h) in enumerate(itertools.product(*axes))
    ]  # fmt: skip
    return sweep(folder, ["model.bidirectional", "model.num_layers", "model.hidden_size"], jobs)


def transductive(folder: Path) -> SweepResults:
    """As `seeds`, but the model of the first job has seen texts of the test reviews."""
    results = seeds(folder)
    first, *others = results.jobs
    return replace(results, jobs=[replace(first, transductive=True), *others])


def search(folder: Path, count: int = 30, metrics: int = 1) -> SweepResults:
    """Numbers, some drawn by their logarithm, and a group; every seventh job pruned, two failed."""
    draw = random.Random(0)
    jobs = []
    for number in range(count):
        rate, dropout, model = 10 ** draw.uniform(-5, -1), draw.uniform(0, 0.5), draw.choice(["lstm", "gru"])
        state = "failed" if number in (4, 9) else "pruned" if number % 7 == 6 else "finished"
        values = [0.9 - 0.05 * (math.log10(rate) + 3) ** 2, 100 * dropout, draw.random()][:metrics]
        point = [f"optimizer.lr={rate!r}", f"model.output_dropout={dropout!r}", f"model={model}"]
        jobs.append(job(number, point, *values, state=state, trained=2 if state == "pruned" else 6))
    names = ("best/valid_accuracy", "seconds", "test/loss")[:metrics]
    directions = ("maximize", "minimize", "minimize")[:metrics]
    return sweep(folder, ["optimizer.lr", "model.output_dropout", "model"], jobs, names, directions)


def seeds(folder: Path) -> SweepResults:
    """Three points of three seeds each: a, whose second failed; b, the best, 0.80 ± 0.01; c, of which one finished."""
    draws = {"a": (0.7, None, 0.8), "b": (0.79, 0.80, 0.81), "c": (0.6, "pruned", "waiting")}
    jobs = []
    for place, (option, values) in enumerate(draws.items()):
        for seed, value in enumerate(values):
            number, point = 3 * place + seed, [f"data={option}"]
            if isinstance(value, float):
                jobs.append(job(number, point, value, seed=seed))
            else:
                jobs.append(job(number, point, state=value or "failed", seed=seed))
    return sweep(folder, ["data"], jobs)


def odd_values(folder: Path) -> SweepResults:
    """Null, switches, lists, texts with everything in them, keys that collide with columns and long ones."""
    texts = ["null", "true", "[a,b]", "'<b>$x_1$</b>'", '"a, b"', "''", "{a: 1}", "'很好'", "x" * 200, "3"]
    swept = ["text.init_token", "state", "a.key.that_is_longer_than_any_axis_or_column_could_ever_show_in_full"]
    jobs = [
        job(number, [f"{swept[0]}={text}", f"{swept[1]}={number % 2}", f"+{swept[2]}={text}"], number / 10)
        for number, text in enumerate(texts)
    ]
    return sweep(folder, swept, jobs)


def left_out(folder: Path, count: int = 40) -> SweepResults:
    """A search in which hidden_size belongs to the LSTM, which is 0.1 better at any size, and a rate and a switch to
    adam."""
    draw = random.Random(0)
    jobs = []
    for number in range(count):
        model, optimizer = draw.choice(["lstm", "bag_of_words"]), draw.choice(["adam", "sgd"])
        point = [f"model={model}", f"optimizer={optimizer}"]
        point += [f"model.hidden_size={draw.randrange(4, 65)}"] if model == "lstm" else []
        if optimizer == "adam":
            point += [
                f"optimizer.lr={10 ** draw.uniform(-4, -2)!r}",
                f"optimizer.amsgrad={draw.choice(['true', 'false'])}",
            ]
        jobs.append(job(number, point, 0.6 + 0.1 * (model == "lstm")))
    return sweep(folder, ["model", "optimizer", "model.hidden_size", "optimizer.lr", "optimizer.amsgrad"], jobs)


def nothing_finished(folder: Path) -> SweepResults:
    states = ("waiting", "running", "failed", "pruned")
    return sweep(folder, ["seed"], [job(number, [f"seed={number}"], state=s) for number, s in enumerate(states)])


def one_job(folder: Path) -> SweepResults:
    return sweep(folder, ["model.num_layers"], [job(0, ["model.num_layers=1"], 0.5, trained=1)])


def no_job(folder: Path) -> SweepResults:
    return sweep(folder, ["model.num_layers"], [])


def all_equal(folder: Path) -> SweepResults:
    return sweep(folder, ["seed"], [job(number, [f"seed={number}"], 0.5) for number in range(12)])


def nothing_swept(folder: Path) -> SweepResults:
    return sweep(folder, [], [job(number, [], 0.5 + number / 10, seed=number) for number in range(3)])


def two_objectives(folder: Path) -> SweepResults:
    return search(folder, metrics=2)


def three_objectives(folder: Path) -> SweepResults:
    return search(folder, metrics=3)


SHAPES = (
    grid, search, seeds, odd_values, nothing_finished, one_job, no_job, all_equal, nothing_swept, two_objectives,
    three_objectives, left_out,
)  # fmt: skip
