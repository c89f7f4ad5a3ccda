"""How fast this project trains and predicts, beside the tutorial's loop and nn.LSTM, on one machine in one call.

    python experiments/speed/study.py                         # IMDB from the Hub, or the demo corpus without it
    python experiments/speed/study.py data.path=FOLDER        # IMDB from a folder in the Hub's layout
    python experiments/speed/study.py trainer.device=cuda     # on a GPU
    python experiments/speed/study.py --quick                 # a small test run
    python experiments/speed/study.py --large                 # also prepare 500,000 reviews
    python experiments/speed/study.py --report                # only rebuild results.md and speed.png from results.csv

Every further argument is an override for this project's runs. The ways take turns, each in its own processes;
nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas
from processes import products, run_measurement, watched
from report import write_report

from sentexp.config import compose
from sentexp.errors import SentexpError
from sentexp.machine.device import resolve_device
from sentexp.tracking import environment

HERE = Path(__file__).resolve().parent
JOINT_BATCH = 64
SETTINGS = ["text.max_length=null", "model.pooling=last", "embedding.dim=100", "model.hidden_size=128"]

# Batches of 64 reviews to be timed, in inference and in training. On a CPU the packed backward takes up to a minute per
# batch.
BATCHES: dict[str, dict[str, tuple[int, int]]] = {
    "cpu": {"tutorial": (16, 10), "packed": (8, 8), "padded": (24, 16), "project": (100, 100)},
    "cpu, quick": {"tutorial": (4, 2), "packed": (2, 1), "padded": (6, 4), "project": (20, 20)},
    "cuda": {"tutorial": (60, 40), "packed": (60, 40), "padded": (100, 100), "project": (1000, 1000)},
    "cuda, quick": {"tutorial": (6, 4), "packed": (6, 4), "padded": (10, 10), "project": (100, 100)},
}


@dataclasses.dataclass
class Study:
    """The settings that all measurements share, and the results so far."""

    overrides: list[str]
    data: list[str]
    """Overrides that choose the reviews."""
    fallback: list[str]
    """Overrides that choose the demo corpus instead."""
    folder: Path
    """Folder for caches and outputs; deleted at the end."""
    repetitions: int
    quick: bool
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def add(self, measure: str, repetition: int, **results: Any) -> None:
        self.rows.append({"measure": measure, "repetition": repetition, **results})
        shown = "  ".join(f"{name} {results[name]:,.4g}" for name in ("reviews_per_second", "seconds", "peak_mib")
                          if results.get(name) is not None)  # fmt: skip
        what = " ".join(str(results[name]) for name in ("way", "work", "directions") if name in results)
        print(f"[{time.strftime('%H:%M:%S')}] {measure} {what} {repetition}: {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=None, help="of all but the whole run; 3, or 1 if quick")
    parser.add_argument("--quick", action="store_true", help="measure little")
    parser.add_argument("--large", action="store_true", help="prepare the corpus repeated to 500,000 reviews as well")
    parser.add_argument("--report", action="store_true", help="measure nothing, rebuild the report")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for results.csv, results.md and speed.png")
    arguments, overrides = parser.parse_known_args()
    if not arguments.report:
        repetitions = arguments.repetitions or (1 if arguments.quick else 3)
        try:
            rows = measure(overrides, repetitions, arguments.quick, arguments.large)
        except SentexpError as error:
            raise SystemExit(f"study: {error}") from None
        arguments.output.mkdir(parents=True, exist_ok=True)
        pandas.DataFrame(rows).to_csv(arguments.output / "results.csv", index=False, float_format="%.6g")
    write_report(arguments.output)


def measure(overrides: list[str], repetitions: int, quick: bool, large: bool) -> list[dict[str, Any]]:
    data = [override for override in overrides if override.startswith("data")]
    rest = [override for override in overrides if not override.startswith("data")]
    if not any(override.startswith("data=") for override in data):
        data = ["data=imdb", *data]
    limit = ["data.limit=2560"] if quick else []
    with tempfile.TemporaryDirectory(prefix="sentexp-speed-") as folder:
        study = Study(rest, [*data, *limit], ["data=demo", *limit], Path(folder), repetitions, quick)
        prepared = prepare(study, 0)
        describe(study, prepared)
        for repetition in range(repetitions):
            if repetition:
                prepare(study, repetition)
            start(study, repetition)
            compare(study, prepared, repetition)
        profile(study, prepared)
        run_whole(study)
        if large:
            prepare_large(study)
        return study.rows


def describe(study: Study, prepared: dict[str, Any]) -> None:
    """Add rows that say how the results were made: reviews, hardware, versions, overrides."""
    about = environment.describe()
    sizes = ", ".join(f"{count:,} {split}" for split, count in prepared["sizes"].items())
    facts = {
        "reviews": f"{Path(prepared['source']).name}: {sizes}",
        "note": prepared["note"],
        "measured": "quickly: not for quoting" if study.quick else f"{study.repetitions} times, taking turns",
        "cpu": f"{about['hardware']['cpu']}, {about['hardware']['usable_cpus']} processors",
        "gpu": ", ".join(about["hardware"]["gpus"]),
        "memory": f"{about['hardware']['memory_gib']} GiB",
        "versions": ", ".join(f"{name} {about['versions'][name]}" for name in ("sentexp", "python", "torch")),
        "commit": f"{about['git']['commit']}{' and changes' if about['git']['dirty'] else ''}",
        "overrides": " ".join(study.overrides),
    }
    for name, value in facts.items():
        if value:
            study.rows.append({"measure": "about", "repetition": 0, "way": name, "note": value})


def prepare(study: Study, repetition: int) -> dict[str, Any]:
    """Measure tokenizing and encoding, with an empty cache and then again. Returns the result of the second."""
    tokenizing = ["text.max_length=null", "tokenizer=spacy"]
    request = {
        "overrides": [*study.data, *tokenizing, *study.overrides],
        "fallback": [*study.fallback, *tokenizing, *study.overrides],
        "cache_dir": str(study.folder / f"cache-{repetition}"),
    }
    for what in ("prepare, first time", "prepare, from cache"):
        found = run_measurement("prepare", **request)[-1]
        assert bool(found["from_cache"]) == (what == "prepare, from cache")
        if found["note"] and repetition == 0 and not found["from_cache"]:
            print(f"{found['note']}", flush=True)
            study.data = study.fallback
        names = ("seconds", "reviews", "tokens", "processes", "peak_mib")
        study.add(what, repetition, **{name: found[name] for name in names})
    return found


def prepare_large(study: Study) -> None:
    """Measure memory and time of preparing for several numbers of reviews, each with an empty cache."""
    counts = (500, 1000, 10_000) if study.quick else (25_000, 50_000, 500_000)
    for count in counts:
        found = run_measurement(
            "prepare",
            overrides=[*study.data, "text.max_length=null", "tokenizer=spacy", *study.overrides],
            fallback=study.fallback,
            cache_dir=str(study.folder / f"large-{count}"),
            repeated_to=count,
        )[-1]
        names = ("seconds", "reviews", "tokens", "processes", "peak_mib")
        study.add("prepare, repeated", 0, **{name: found[name] for name in names})


def start(study: Study, repetition: int) -> None:
    """Measure from the program's start to its first training step on the demo corpus, when it is started a second time.

    MLflow records the run, as by default.
    """
    folder = study.folder / "start"
    arguments = [f"cache_dir={folder / 'cache'}", f"hydra.run.dir={folder / 'run'}"]
    arguments += [f"tracking.uri='sqlite:///{folder / 'mlflow.db'}'", *study.overrides]
    folder.mkdir(exist_ok=True)
    for _ in range(1 if repetition else 2):
        found = run_measurement("first_step", arguments=arguments, began=time.time())[-1]
    study.add("start to first step, demo", repetition, seconds=found["seconds"], peak_mib=found["peak_mib"])


def compare(study: Study, prepared: dict[str, Any], repetition: int) -> None:
    """Measure the four ways, in another order each repetition, and the matrix products of the machines they used."""
    composed = compose(*SETTINGS, *study.overrides)
    device = resolve_device(composed.trainer.device)[0].type
    batches = BATCHES[f"{device}{', quick' if study.quick else ''}"]
    ways: dict[str, int | None] = {"tutorial": None, "packed": None, "padded": None, "project": None}
    if composed.trainer.batch_size != JOINT_BATCH:
        ways["project64"] = JOINT_BATCH
    turn = list(ways)[repetition % len(ways) :] + list(ways)[: repetition % len(ways)]
    machines = set()
    for directions in (1, 2):
        for way in turn:
            inference, training = batches[way.removesuffix(str(JOINT_BATCH))]
            found = run_measurement(
                "speed",
                way=way,
                directions=directions,
                seed=repetition,
                train=prepared["paths"]["train"],
                test=prepared["paths"]["test"],
                overrides=[*SETTINGS, *study.overrides],
                batches={"inference": inference, "training": training},
                batch_size=ways[way],
            )
            for one in found:
                split = "train" if one["work"] == "training" else "test"
                study.add(
                    "speed",
                    repetition,
                    way=way,
                    directions=directions,
                    batch_size=composed.trainer.batch_size if way == "project" else JOINT_BATCH,
                    reviews_per_second=one["reviews"] / one["seconds"],
                    tokens_per_second=one["tokens"] / one["seconds"],
                    operations_per_second=one.pop("flops") / one["seconds"],
                    share_of_epoch=one["reviews"] / prepared["sizes"][split],
                    **one,
                )
                machines.add((one["processes"], one["threads"], one["device"], one["precision"]))
    for processes, threads, device, precision in sorted(machines):
        rates = products(processes, threads, device, precision, seconds=0.5 if study.quick else 1.5)
        study.add(
            "products",
            repetition,
            processes=processes,
            threads=threads,
            device=device,
            precision=precision,
            operations_per_second=rates["square"],
            step_operations_per_second=rates["step"],
        )


def profile(study: Study, prepared: dict[str, Any]) -> None:
    """Measure where the time of a training goes, in one process: the others do the same."""
    if resolve_device(compose(*SETTINGS, *study.overrides).trainer.device)[0].type != "cpu":
        return  # a GPU works while Python waits; its share is measured by experiments/gpu
    for directions in (1, 2):
        found = run_measurement(
            "profile",
            way="project",
            directions=directions,
            seed=0,
            train=prepared["paths"]["train"],
            test=prepared["paths"]["test"],
            overrides=[*SETTINGS, *study.overrides],
            batches={"inference": 1, "training": 20},
        )
        for one in found:
            study.add("profile", 0, directions=directions, way=one["kind"], seconds=one["seconds"])


def run_whole(study: Study) -> None:
    """Measure the memory of experiment=imdb, raw text to reports in one epoch, all processes together."""
    folder = study.folder / "whole"
    arguments = ["experiment=imdb", *study.data, "trainer.epochs=1", "tracking=none", f"cache_dir={folder / 'cache'}"]
    arguments += [f"hydra.run.dir={folder / 'run'}", *study.overrides]
    began = time.perf_counter()
    peaks = [peak for _, peak in watched([sys.executable, "-m", "sentexp", *arguments], shared_once=True)]
    study.add("experiment=imdb, one epoch", 0, seconds=time.perf_counter() - began, peak_mib=peaks[-1])


if __name__ == "__main__":
    main()
