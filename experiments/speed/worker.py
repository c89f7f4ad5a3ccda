"""One measurement in its own process, so that threads, memory and warm caches of one way do not affect another.

study.py starts it with the request as JSON; each result is one line on stdout.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

Request = dict[str, Any]
Result = dict[str, Any]

MARK = "RESULT "


def main() -> None:
    request = json.loads(sys.argv[1])
    for result in MEASURES[request.pop("measure")](request):
        print(MARK + json.dumps(result), flush=True)


def speed(request: Request) -> Iterator[Result]:
    """Time inference and then training of one way; in this order, because training takes more memory."""
    import torch
    import ways

    request |= {split: Path(request[split]) for split in ("train", "test")}
    task = ways.Task(**request)
    machine = ways.machine_of(task)
    torch.set_num_threads(machine.threads)
    way = ways.WAYS[task.way](task, machine)
    on_gpu = machine.device.type == "cuda"
    for work, run, passes in (
        ("inference", way.infer, ("forward",)),
        ("training", way.train, ("forward", "backward")),
    ):
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(machine.device)
        part = run()
        yield {
            "work": work,
            **dataclasses.asdict(part),
            "flops": ways.lstm_flops(part.tokens, task.directions, passes),
            "device": machine.device.type,
            "precision": str(machine.precision).removeprefix("torch."),
            "processes": machine.processes,
            "threads": machine.threads,
            "gpu_mib": torch.cuda.max_memory_allocated(machine.device) / 2**20 if on_gpu else None,
        }


def profile(request: Request) -> Iterator[Result]:
    """Measure where the time of this project's training goes, by kind of operator."""
    import ways

    task = ways.Task(**request | {split: Path(request[split]) for split in ("train", "test")})
    for kind, seconds in ways.seconds_by_kind(task).items():
        yield {"kind": kind, "seconds": seconds}


def products(request: Request) -> Iterator[Result]:
    """Measure the FLOP/s of matrix products: square ones, and those of one LSTM step. Waits for a line on stdin."""
    import torch
    import ways

    torch.set_num_threads(request["threads"])
    device, dtype = torch.device(request["device"]), getattr(torch, request["precision"])
    size = 8192 if device.type == "cuda" else 1024
    yield {}  # ready
    sys.stdin.readline()

    def multiply(left: torch.Tensor, right: torch.Tensor, times: int) -> None:
        for _ in range(times):
            torch.mm(left, right)

    result = {}
    for name, (rows, inner, columns) in {
        "square": (size, size, size),
        "step": (ways.BATCH, ways.H, 4 * ways.H),
    }.items():
        left = torch.randn(rows, inner, device=device, dtype=dtype)
        right = torch.randn(inner, columns, device=device, dtype=dtype)
        calls = max(1, int(2e9 / (rows * inner * columns)))
        rates: list[float] = []
        until = time.perf_counter() + request["seconds"]
        while time.perf_counter() < until or not rates:
            seconds = ways.stopwatch(device, partial(multiply, left, right, calls))
            rates.append(2 * rows * inner * columns * calls / seconds)
        result[name] = statistics.median(rates)
    yield result


def prepare(request: Request) -> Iterator[Result]:
    """Load and encode the reviews. Falls back to the demo corpus, and says so, if IMDB cannot be had."""
    from sentexp.config import compose, plain
    from sentexp.errors import SentexpError
    from sentexp.instantiate import build, build_pipeline
    from sentexp.machine.cores import available_cores

    note = None
    config = compose(*request["overrides"])
    try:
        reviews = build(config.data)
    except SentexpError as error:
        data = plain(config.data)
        if data["_target_"] != "sentexp.data.hub.load" or data["path"] is not None:
            raise
        note = f"no IMDB here ({error}), so this is the demo corpus"
        config = compose(*request["fallback"])
        reviews = build(config.data)
    if request.get("repeated_to"):
        reviews = repeated(reviews, request["repeated_to"])
    pipeline = build_pipeline(config)
    began = time.perf_counter()
    corpora = pipeline.prepare(reviews, Path(request["cache_dir"]), processes=available_cores()[0])
    yield {
        "seconds": time.perf_counter() - began,
        "from_cache": pipeline.report["from_cache"],
        "reviews": sum(len(corpus) for corpus in corpora.values()),
        "tokens": sum(len(corpus.ids) for corpus in corpora.values()),
        "processes": available_cores()[0],
        "source": reviews.source,
        "note": note,
        "vocabulary": len(pipeline.vocabulary),
        "paths": {split: str(corpus.path) for split, corpus in corpora.items()},
        "sizes": {split: len(corpus) for split, corpus in corpora.items()},
    }


def repeated(reviews: Any, count: int) -> Any:
    """Repeat the training, validation and test reviews until there are `count`; all become training reviews."""
    import datasets

    from sentexp.data.reviews import Reviews

    all_of_them = datasets.concatenate_datasets(list(reviews.splits.values()))
    if count < len(all_of_them):
        copies = all_of_them.select(range(count))
    else:
        copies = datasets.concatenate_datasets([all_of_them] * -(-count // len(all_of_them))).select(range(count))
    digest = f"{'-'.join(reviews.digests.values())} repeated to {count}"
    return Reviews(datasets.DatasetDict(train=copies), reviews.labels, {"train": digest}, reviews.source)


def first_step(request: Request) -> Iterator[Result]:
    """Run the command line with these arguments up to its first training step. Yields the seconds since `began`."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from sentexp import cli

    def reached(*_: Any) -> None:
        print(MARK + json.dumps({"seconds": time.time() - request["began"]}), flush=True)
        os._exit(0)  # further processes of the training end with their parent

    register_optimizer_step_post_hook(reached)
    sys.argv = ["sentexp", *request["arguments"]]
    cli.main()
    yield from ()


MEASURES = {"speed": speed, "profile": profile, "products": products, "prepare": prepare, "first_step": first_step}

if __name__ == "__main__":
    main()
