"""What a training that is killed loses, and what its checkpoints cost.

python experiments/reliability/study.py                  # fifty kills, some twenty minutes on two cores
python experiments/reliability/study.py --kills 6        # a few
python experiments/reliability/study.py --report         # only rebuild results.md from results.csv
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas
import torch
from kills import killed

from sentexp.config import compose
from sentexp.instantiate import build_recipe
from sentexp.model.classifier import RecurrentClassifier
from sentexp.runner import build_model, prepare
from sentexp.tracking import environment
from sentexp.training import Checkpoints
from sentexp.training.state import TrainState

HERE = Path(__file__).resolve().parent

EACH = 2
"""Kills of each training."""

WAYS = {"one process": "trainer.processes=1", "two processes": "trainer.processes=2"}

IMDB = ("model.bidirectional=true", "model.pooling=concat", "data.size=200")
VOCABULARY = 25_002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="over all ways")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--report", action="store_true", help="measure nothing, rebuild results.md")
    arguments = parser.parse_args()
    results = HERE / "results.csv"
    if not arguments.report:
        trainings = max(1, arguments.kills // (EACH * len(WAYS)))
        rows = [row for way in WAYS for row in kills_of(way, trainings, arguments.seed)]
        pandas.DataFrame([*rows, cost()]).to_csv(results, index=False, float_format="%.6g")
    (HERE / "results.md").write_text(as_markdown(pandas.read_csv(results, keep_default_na=False)))
    print((HERE / "results.md").read_text())


def kills_of(way: str, trainings: int, seed: int) -> list[dict[str, Any]]:
    return [
        {
            "what": way,
            "kills": len(outcome.steps),
            "before the first checkpoint": outcome.steps.count(None),
            "problems": "; ".join(outcome.problems),
            "cpu": environment.hardware()["cpu"],
        }
        for outcome in killed(trainings, EACH, WAYS[way], seed=seed)
    ]


def cost() -> dict[str, Any]:
    """Return the seconds that a checkpoint of the model for IMDB takes, the median of nine, and its size."""
    config = compose(*IMDB, "tracking=none")
    prepared = prepare(config)
    model = build_model(config, prepared)
    assert isinstance(model, RecurrentClassifier)
    model.embedding = torch.nn.Embedding(VOCABULARY, config.embedding.dim)
    optimizer = build_recipe(config).optimizer(list(model.parameters()))
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    state = TrainState(model, optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer), steps=10)
    state.keep_best(0.5, 0.7)
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        for step in range(9):
            state.step = step
            began = time.perf_counter()
            checkpoints.save(state)
            seconds.append(time.perf_counter() - began)
        size = max(path.stat().st_size for path in Path(folder).rglob("*.pt"))
    median = sorted(seconds)[len(seconds) // 2]
    cpu = environment.hardware()["cpu"]
    return {"what": "checkpoint of the IMDB model", "seconds": median, "megabytes": size / 1e6, "cpu": cpu}


def as_markdown(results: pandas.DataFrame) -> str:
    lines = ["| trainings killed | kills | before the first checkpoint | not as if never stopped |"]
    lines += ["| --- | --- | --- | --- |"]
    for way in WAYS:
        rows = results[results["what"] == way]
        kills, before = (int(pandas.to_numeric(rows[name]).sum()) for name in ("kills", "before the first checkpoint"))
        lines.append(f"| {len(rows)}, {way} | {kills} | {before} | {(rows['problems'] != '').sum()} |")
    (saved,) = results[results["what"].str.startswith("checkpoint")].to_dict("records")
    seconds, megabytes = float(saved["seconds"]), float(saved["megabytes"])
    lines += [
        "",
        f"A checkpoint of the model for IMDB ({megabytes:.0f} MB) takes {seconds:.2f} s: {100 * seconds / 180:.2f} % "
        f"of the three minutes between two. On {saved['cpu']}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
