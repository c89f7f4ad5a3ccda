"""Six public sets of short texts: the defaults, the recommended preset, and what needs no neural network, side by side.

    python experiments/datasets/study.py FOLDER              # with the files that README.md names
    python experiments/datasets/study.py FOLDER --seeds 1    # a quick look
    python experiments/datasets/study.py --report            # only rebuild results.md and accuracy.png from results.csv

Every further argument is an override for the recommended preset. Two runs go on at a time, each on one core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent

SETS = {
    "MR": {"path": "mr.csv"},
    "CR": {"path": "cr.jsonl"},
    "Subj": {"path": "subj.csv"},
    "SST-2": {"train": "sst2.train.csv", "valid": "sst2.dev.csv", "test": "sst2.test.csv"},
    "SST-1": {"train": "sst1.train.tsv", "valid": "sst1.dev.tsv", "test": "sst1.test.tsv"},
    "TREC": {"train": "trec.train.csv", "test": "trec.test.csv"},
}
ENCODINGS = {"TREC": "latin-1"}
WAYS = {
    "majority": "the most frequent label",
    "tf-idf": "tf-idf of 1- and 2-grams, logistic regression, C of 1, 10, 100 by validation",
    "nb_ngrams": "`model=nb_ngrams`",
    "default": "the defaults: `data=files` alone",
    "recommended": "`experiment=recommended`",
}
SETTINGS = {
    "nb_ngrams": ["model=nb_ngrams", "embedding=one_hot"],
    "default": [],
    "recommended": ["experiment=recommended"],
}
LINEAR = "tf-idf"
"""The linear baseline that the recommended preset is held against."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of the six sets")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each way on each set")
    parser.add_argument("--report", action="store_true", help="run nothing, rebuild the report")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for results.csv, results.md, accuracy.png")
    arguments, overrides = parser.parse_known_args()
    if not arguments.report:
        if arguments.folder is None:
            parser.error("expected the folder of the six sets")
        began = time.time()
        rows = measure(arguments.folder, arguments.seeds, overrides)
        print(f"{len(rows)} results in {(time.time() - began) / 60:.1f} minutes")
        arguments.output.mkdir(parents=True, exist_ok=True)
        pandas.DataFrame(rows).to_csv(arguments.output / "results.csv", index=False, float_format="%.5g")
    table = pandas.read_csv(arguments.output / "results.csv")
    (arguments.output / "results.md").write_text(as_markdown(table), encoding="utf-8")
    picture(table).savefig(arguments.output / "accuracy.png", dpi=120)
    print((arguments.output / "results.md").read_text(encoding="utf-8"))


def measure(folder: Path, seeds: int, overrides: list[str]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="sentexp-datasets-") as cache:
        jobs = [(str(folder), name, way, seed, cache, overrides) for name in SETS for way in ("tf-idf", *SETTINGS)
                for seed in range(seeds)]  # fmt: skip
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            for found in pool.map(run, jobs):
                rows += found
                last = found[-1]
                print(f"[{time.strftime('%H:%M:%S')}] {last['set']} {last['way']} {last['seed']}: {last['test']:.4f}",
                      flush=True)  # fmt: skip
    return rows


def run(job: tuple[str, str, str, int, str, list[str]]) -> list[dict[str, Any]]:
    """Train and judge once; the seed chooses the splits, the first weights and the order of the batches."""
    folder, name, way, seed, cache, overrides = job
    import torch

    import sentexp
    from sentexp.tracking import environment

    torch.set_num_threads(1)
    files = [f"data.{key}='{Path(folder) / file}'" for key, file in SETS[name].items()]
    settings = ["data=files", *files, f"data.encoding={ENCODINGS.get(name, 'utf-8')}", f"data.seed={seed}"]
    settings += [f"seed={seed}", f"cache_dir='{cache}'", "trainer.processes=1", *SETTINGS.get(way, [])]
    began = time.perf_counter()
    config = sentexp.compose(*settings, *(overrides if way == "recommended" else []))
    prepared = sentexp.prepare(config)
    hardware = environment.describe()["hardware"]["cpu"]
    shared = {"set": name, "seed": seed, "cpu": hardware}
    if way == "tf-idf":
        return [{**shared, **found} for found in without_network(prepared.reviews)]
    model = sentexp.build_model(config, prepared)
    fitted = sentexp.fit(model, prepared.corpora["train"], prepared.corpora["valid"], sentexp.build_recipe(config))
    test = sentexp.evaluate(model, prepared.corpora["test"])["accuracy"]
    seconds = time.perf_counter() - began
    return [{**shared, "way": way, "test": test, "valid": fitted.best_accuracy, "epoch": fitted.best_epoch,
             "seconds": seconds}]  # fmt: skip


def without_network(reviews: Any) -> list[dict[str, Any]]:
    """Judge the most frequent label, and scikit-learn's usual linear classifier of texts; C is chosen on validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    began = time.perf_counter()
    train, valid, test = (reviews.splits[split] for split in ("train", "valid", "test"))
    labels = {split: np.array(reviews.splits[split]["label"]) for split in ("train", "valid", "test")}
    frequent = np.bincount(labels["train"]).argmax()
    tried = []
    for C in (1, 10, 100):
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=C, max_iter=1000))
        model.fit(train["text"][:], labels["train"])
        tried.append((float((model.predict(valid["text"][:]) == labels["valid"]).mean()), -C, model))
    accuracy, _, model = max(tried, key=lambda one: one[:2])
    right = float((model.predict(test["text"][:]) == labels["test"]).mean())
    return [
        {"way": "majority", "test": float((labels["test"] == frequent).mean())},
        {"way": "tf-idf", "test": right, "valid": accuracy, "seconds": time.perf_counter() - began},
    ]


def as_markdown(table: pandas.DataFrame) -> str:
    lines = ["# Results", "", "Written by study.py. Test accuracy, mean ± standard deviation over the seeds.", ""]
    lines += [f"| | {' | '.join(SETS)} |", f"| --- |{' --- |' * len(SETS)}"]
    for way, meaning in WAYS.items():
        cells = [spread(table[(table["set"] == name) & (table["way"] == way)]["test"]) for name in SETS]
        lines.append(f"| {meaning} | {' | '.join(cells)} |")
    means = table.groupby(["way", "set"])["test"].mean()
    differences = {}
    for linear in ("nb_ngrams", LINEAR):
        differences = {name: 100 * (means["recommended", name] - means[linear, name]) for name in SETS}
        shown = " | ".join(f"{difference:+.2f}" for difference in differences.values())
        lines.append(f"| recommended over {linear}, points | {shown} |")
    above = sum(difference > 0 for difference in differences.values())
    trained = table[table["way"].isin(SETTINGS)]
    lines += [
        "",
        f"The recommended preset is above tf-idf on {above} of {len(SETS)} sets, and at worst "
        f"{abs(min(*differences.values(), 0)):.2f} points below it.",
        "",
        f"{table['cpu'].iloc[0]}; {trained['seconds'].sum() / 60:.0f} minutes of one core for all trainings, "
        f"{trained[trained['way'] == 'recommended']['seconds'].mean():.0f} s for one of the recommended preset.",
    ]
    return "\n".join(lines) + "\n"


def spread(values: pandas.Series) -> str:
    deviation = f" ± {100 * values.std():.1f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.1f}{deviation}"


def picture(table: pandas.DataFrame) -> Figure:
    """Draw each way's test accuracy on each set: the mean as a line, one dot per seed."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    colours = {"tf-idf": "#999999", "nb_ngrams": "#0072B2", "default": "#E69F00", "recommended": "#D55E00"}
    for number, (way, colour) in enumerate(colours.items()):
        for place, name in enumerate(SETS):
            values = 100 * table[(table["set"] == name) & (table["way"] == way)]["test"]
            x = place + 0.18 * (number - 1.5)
            axes.plot([x - 0.07, x + 0.07], [values.mean()] * 2, color=colour, linewidth=3,
                      label=way if place == 0 else None)  # fmt: skip
            axes.plot([x] * len(values), values, ".", color=colour, markersize=4, alpha=0.7)
    axes.set_xticks(range(len(SETS)), list(SETS))
    axes.set_ylabel("test accuracy (%)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.12))
    return figure


if __name__ == "__main__":
    sys.exit(main())
