"""Training seconds to 0.88 test accuracy on IMDB from scratch, on one GPU, and how busy its kernels are.

    python experiments/gpu/study.py                          # IMDB from the Hub
    python experiments/gpu/study.py data.path=FOLDER         # or from a folder in the Hub's layout
    python experiments/gpu/study.py --report                 # only rebuild results.md from results.csv

Every further argument is an override for all runs. Without a GPU the table says `not measured`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import pandas
import torch

from sentexp import evaluation, runner
from sentexp.config import compose
from sentexp.errors import SentexpError
from sentexp.instantiate import build_recipe
from sentexp.tracking import environment
from sentexp.training import choose_machine, fit

HERE = Path(__file__).resolve().parent
TARGET = 0.88
RECIPE = ["experiment=imdb_supervised", "trainer.epochs=2", "trainer.device=cuda"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="runs")
    parser.add_argument("--report", action="store_true", help="measure nothing, rebuild results.md")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for results.csv and results.md")
    arguments, overrides = parser.parse_known_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        try:
            rows = measure(overrides, arguments.seeds)
        except SentexpError as error:
            if not str(error).startswith("trainer.device=cuda"):
                raise SystemExit(f"study: {error}") from None
            print(f"study: {error}", file=sys.stderr)
            rows = []
        pandas.DataFrame(rows, columns=COLUMNS).to_csv(
            arguments.output / "results.csv", index=False, float_format="%.6g"
        )
    (arguments.output / "results.md").write_text(as_markdown(pandas.read_csv(arguments.output / "results.csv")))
    print((arguments.output / "results.md").read_text())


def measure(overrides: list[str], seeds: int) -> list[dict[str, Any]]:
    """Return one row per seed. A short run comes first, for what happens only once: CUDA starts and chooses kernels."""
    choose_machine(device=compose(*RECIPE, *overrides).trainer.device)  # refused before any data is loaded
    run(overrides, seed=0, limit=1000)
    rows = []
    for seed in range(seeds):
        row = run(overrides, seed)
        rows.append(row)
        print(f"seed {seed}: {row['training_seconds']:.2f} s, test accuracy {row['test_accuracy']:.4f}", flush=True)
    busy = run(overrides, seed=0, profiled=True)["busy_share"]
    return [row | {"busy_share": busy} for row in rows]


def run(overrides: list[str], seed: int, limit: int | None = None, profiled: bool = False) -> dict[str, Any]:
    config = compose(*RECIPE, f"data.limit={limit or 'null'}", *overrides, f"seed={seed}")
    prepared = runner.prepare(config)
    model = runner.build_model(config, prepared)
    recipe = build_recipe(config)
    began = time.perf_counter()
    if profiled:
        with torch.profiler.profile(activities=list(torch.profiler.supported_activities())) as profile:
            fitted = fit(model, prepared.corpora["train"], prepared.corpora["valid"], recipe)
        busy = busy_seconds(profile) / fitted.seconds if recipe.machine.device.type == "cuda" else float("nan")
    else:
        fitted, busy = fit(model, prepared.corpora["train"], prepared.corpora["valid"], recipe), float("nan")
    about = environment.describe()
    return {
        "seed": seed,
        "training_seconds": sum(len(prepared.corpora["train"]) / row["reviews_per_second"] for row in fitted.history),
        "with_validation_seconds": time.perf_counter() - began,
        "test_accuracy": evaluation.evaluate(model, prepared.corpora["test"], recipe.machine)["accuracy"],
        "epochs": len(fitted.history),
        "reviews_per_second": fitted.history[-1]["reviews_per_second"],
        "busy_share": busy,
        "device": recipe.machine.reasons["device"],
        "precision": recipe.machine.reasons["precision"],
        "torch": about["versions"]["torch"],
        "commit": about["git"]["commit"],
    }


COLUMNS = (
    "seed", "training_seconds", "with_validation_seconds", "test_accuracy", "epochs", "reviews_per_second",
    "busy_share", "device", "precision", "torch", "commit",
)  # fmt: skip


def busy_seconds(profile: torch.profiler.profile) -> float:
    """Return the seconds in which at least one kernel or copy ran on the GPU; those that overlap count once."""
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total / 1e6  # the profiler counts microseconds


def as_markdown(table: pandas.DataFrame) -> str:
    lines = ["# Results", "", "Written by study.py. Mean ± standard deviation over the seeds.", ""]
    lines += ["| | goal | found |", "| --- | --- | --- |"]
    enough = f"{(table['test_accuracy'] >= TARGET).sum()} of {len(table)} runs" if len(table) else "not measured"
    rows = [
        ("training seconds", "10 on an H200", spread(table["training_seconds"], 2)),
        ("test accuracy", f"{TARGET} or more", spread(table["test_accuracy"], 4)),
        (f"runs at {TARGET} or more", "all", enough),
        ("share of the training in which kernels run", "", spread(table["busy_share"].head(1), 2)),
        ("reviews per second", "", spread(table["reviews_per_second"], 0)),
    ]
    lines += [f"| {name} | {goal} | {found} |" for name, goal, found in rows]
    if len(table):
        last = table.iloc[-1]
        lines += ["", f"{last['device']}, {last['precision']}, torch {last['torch']}, commit {last['commit']}"]
    return "\n".join(lines) + "\n"


def spread(values: pandas.Series, digits: int) -> str:
    values = values.dropna()
    if values.empty:
        return "not measured"
    mean = f"{values.mean():,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std():,.{digits}f} (n = {len(values)})"


if __name__ == "__main__":
    main()
