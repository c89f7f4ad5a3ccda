"""The ladder: how far recipes get on IMDB, from a linear model to hours of training, and in what time from raw text.

    python experiments/imdb/study.py                                   # lists the recipes
    python experiments/imdb/study.py RECIPE                            # runs one with seed 0, on IMDB from the Hub
    python experiments/imdb/study.py RECIPE data.path=FOLDER --seeds 3 # or from a folder in the Hub's layout
    python experiments/imdb/study.py mr_imdb data.path=mr.csv          # rt-polarity, in columns text and label
    python experiments/imdb/study.py --report                          # only rebuilds results.md and ladder.png

Every further argument is an override for all runs. A recipe that starts from the models of others runs these first. A
finished run is not run again, and one that was stopped goes on. Each run begins with a cache of its own, so that its
time counts all there is to do from raw text on. results.csv keeps what was recorded before, also on other machines.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run

import sentexp

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
STORE, EXPERIMENT = f"sqlite:///{HERE / 'runs.db'}", "imdb"
SECONDS = "study/seconds"
"""The metric of a run that says how long its command took, with those before it that were stopped."""


@dataclass(frozen=True)
class Recipe:
    """One way to a model."""

    title: str
    overrides: tuple[str, ...] = ()
    """What the command line says; none: an ensemble of `starts`."""
    starts: tuple[str, ...] = ()
    """Recipes whose models it starts from; their time counts as well."""
    group: str = "ladder"


RECIPES = {
    "post": Recipe("the tutorial as it is", ("experiment=post",)),
    "post_fixed": Recipe("the tutorial's model, trained", ("experiment=post_fixed",)),
    "nb_ngrams": Recipe(
        "no LSTM: 1- to 3-grams with naive-Bayes weights",
        ("model=nb_ngrams", "data=imdb", "data.valid_fraction=0", "trainer.keep=last", "vocab.max_size=null"),
    ),
    "nb_ngrams_9_of_10": Recipe(
        "the same, a tenth of the reviews held out",
        ("model=nb_ngrams", "data=imdb", "data.valid_fraction=0.1", "vocab.max_size=null"),
    ),
    "imdb_supervised": Recipe("an LSTM from random vectors, labels alone", ("experiment=imdb_supervised",)),
    "imdb_minutes": Recipe("vectors from all reviews, adversarial training", ("experiment=imdb_minutes",)),
    "imdb": Recipe("more units, and the unlabelled reviews trained on", ("experiment=imdb",)),
    "imdb_lm": Recipe("the language model of all reviews", ("experiment=imdb_lm",)),
    "imdb_semi": Recipe("the language model, then both kinds of reviews", ("experiment=imdb_semi",), ("imdb_lm",)),
    "imdb + nb_ngrams": Recipe("their ensemble", (), ("imdb", "nb_ngrams_9_of_10")),
    "imdb_few_alone": Recipe(
        "500 labels and no other review",
        (
            "experiment=imdb_few",
            "data=imdb",
            "vocab.unlabelled=false",
            "objective=supervised",
            "~objective.ramp_up",
            "model.init=null",
        ),
        group="few",
    ),
    "imdb_few": Recipe("500 labels, all else unlabelled", ("experiment=imdb_few",), ("imdb_lm",), "few"),
    "adversarial": Recipe(
        "`imdb` with the adversarial objective", ("experiment=imdb", "objective=adversarial"), (), "ablation"
    ),
    "labelled": Recipe("`imdb` without unlabelled reviews", ("experiment=imdb", "data=imdb"), (), "ablation"),
    "supervised": Recipe(
        "`imdb` without adversarial terms", ("experiment=imdb", "objective=supervised"), (), "ablation"
    ),
    "random": Recipe(
        "`imdb` from random vectors", ("experiment=imdb", "embedding=random", "embedding.dim=200"), (), "ablation"
    ),
    "mr_nb_ngrams": Recipe("`nb_ngrams`", ("model=nb_ngrams", "data=files", "vocab.max_size=null"), (), "further"),
    "mr_imdb_minutes": Recipe("`imdb_minutes`", ("experiment=imdb_minutes", "data=files"), (), "further"),
    "mr_imdb": Recipe("`imdb`", ("experiment=imdb", "data=files"), (), "further"),
}
GROUPS = {
    "ladder": "All labels",
    "few": "Few labels",
    "ablation": "What each part brings",
    "further": "The same recipes on 10,662 sentences of rt-polarity (Pang & Lee, 2005)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="RECIPE | KEY=VALUE", help="what to run, and overrides")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each recipe: seeds 0, 1, ...")
    parser.add_argument("--report", action="store_true", help="run nothing, rebuild the report")
    arguments = parser.parse_intermixed_args()
    names = [word for word in arguments.words if "=" not in word]
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such recipe; expected some of {', '.join(RECIPES)}")
    if not names and not arguments.report:
        print("\n".join(f"{name:<18} {recipe.title}" for name, recipe in RECIPES.items()))
        return
    for seed in range(arguments.seeds):
        for name in names:
            run(name, seed, [word for word in arguments.words if "=" in word])
    write_report()


def run(name: str, seed: int, overrides: list[str]) -> Path:
    """Run a recipe, and before it those that it starts from. Returns its output folder."""
    recipe, folder = RECIPES[name], RUNS / f"{name}-{seed}"
    starts = [run(start, seed, overrides) for start in recipe.starts]
    if recorded(name, seed) is not None:
        print(f"{name}, seed {seed}: already recorded", flush=True)
        return folder
    print(f"{name}, seed {seed}", flush=True)
    with clock(folder / "seconds.txt"):
        if not recipe.overrides:
            made = sentexp.ensemble(*starts, output_dir=folder, tracking_uri=STORE, experiment=EXPERIMENT)
            assert made.location is not None
            MlflowClient(STORE).set_tag(made.location.run_id, "mlflow.runName", f"{name}-{seed}")
        else:
            command = [*recipe.overrides, *overrides, f"seed={seed}", f"hydra.run.dir={folder}"]
            command += [f"tracking.uri={STORE}", f"tracking.experiment={EXPERIMENT}", "tracking.log_model=false"]
            command += [f"tracking.run_name={name}-{seed}", f"cache_dir={folder / 'cache'}"]
            command += [f"model.init={start}" for start in starts]
            if any((folder / "checkpoints").glob("*.json")):
                command = [f"trainer.resume={folder}"]
            train(command)
    done = recorded(name, seed)
    assert done is not None
    MlflowClient(STORE).log_metric(done.info.run_id, SECONDS, float((folder / "seconds.txt").read_text()))
    return folder


def train(words: list[str]) -> None:
    """Run sentexp; where it fails or is interrupted, the study ends."""
    # Ctrl-C reaches the run as well, which then writes a checkpoint and ends by itself: only waited for.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    ended = subprocess.run([sys.executable, "-m", "sentexp", *words]).returncode
    signal.signal(signal.SIGINT, before)
    if ended:
        sys.exit(ended)


@contextmanager
def clock(file: Path) -> Iterator[None]:
    """Add the seconds that the block takes to those in a file, also where it is interrupted."""
    before = float(file.read_text()) if file.exists() else 0.0
    began = time.monotonic()
    try:
        yield
    finally:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{before + time.monotonic() - began:.1f}")


def recorded(name: str, seed: int) -> Run | None:
    """Return the finished run of a recipe."""
    client = MlflowClient(STORE)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return None
    wanted = f"attributes.status = 'FINISHED' and attributes.run_name = '{name}-{seed}'"
    found = client.search_runs([experiment.experiment_id], wanted, max_results=1)
    return found[0] if found else None


def minutes(name: str, seed: int) -> float:
    """Return how long a recipe took with those that it starts from."""
    done = recorded(name, seed)
    own = float("nan") if done is None else done.data.metrics.get(SECONDS, float("nan")) / 60
    return own + sum(minutes(start, seed) for start in RECIPES[name].starts)


def rows() -> list[dict[str, Any]]:
    """Return what the store holds of each recipe and seed."""
    found = []
    for name in RECIPES:
        for seed in range(100):
            done = recorded(name, seed)
            if done is None:
                break
            metrics, tags = done.data.metrics, done.data.tags
            found.append(
                {
                    "recipe": name,
                    "seed": seed,
                    "test_accuracy": metrics.get("test/accuracy"),
                    "test_loss": metrics.get("test/loss"),
                    "valid_accuracy": metrics.get("best/valid_accuracy"),
                    "valid_perplexity": metrics.get("valid/perplexity"),
                    "minutes": minutes(name, seed),
                    "transductive": tags.get("transductive", "false"),
                    "processes": tags.get("chosen.processes"),
                    "precision": tags.get("chosen.precision"),
                    "hardware": tags.get("hardware.cpu"),
                    "torch": tags.get("versions.torch"),
                }
            )
    return found


def write_report() -> None:
    """Write results.csv (what it held, and what the store holds in its place), results.md and ladder.png."""
    table = pandas.DataFrame(rows())
    if (HERE / "results.csv").exists():
        before = pandas.read_csv(HERE / "results.csv")
        table = pandas.concat([before, table]).drop_duplicates(["recipe", "seed"], keep="last")
    order = {name: place for place, name in enumerate(RECIPES)}
    table = table[table["recipe"].isin(order)].sort_values("seed")
    table = table.sort_values("recipe", key=lambda recipes: recipes.map(order), kind="stable")
    table.to_csv(HERE / "results.csv", index=False, float_format="%.5g")
    (HERE / "results.md").write_text(as_markdown(table), encoding="utf-8")
    picture(table).savefig(HERE / "ladder.png", dpi=120)
    print((HERE / "results.md").read_text(encoding="utf-8"))


def as_markdown(table: pandas.DataFrame) -> str:
    """Return a table for each group of recipes: mean ± standard deviation over the seeds."""
    lines = []
    for group, heading in GROUPS.items():
        of_group = table[table["recipe"].map(lambda name: RECIPES[name].group) == group]
        if of_group.empty:
            continue
        lines += [f"## {heading}", ""]
        lines += ["| recipe | | runs | minutes | validation accuracy | test accuracy |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        for name, runs in of_group.groupby("recipe", sort=False):
            cells = [f"`{name}`", RECIPES[str(name)].title, str(len(runs)), spread(runs["minutes"], 1)]
            cells += [spread(runs[f"{split}_accuracy"], 4) for split in ("valid", "test")]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += ["Each run was made on one of:", ""]
    machines = table[["hardware", "precision", "torch"]].dropna().drop_duplicates()
    lines += [f"- {cpu}, {precision}, torch {torch}" for cpu, precision, torch in machines.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def spread(values: pandas.Series, digits: int) -> str:
    values = values.dropna()
    if values.empty:
        return ""
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def picture(table: pandas.DataFrame) -> Figure:
    """Draw the test accuracy of the ladder's recipes over the minutes that they take."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    ladder = table[(table["recipe"].map(lambda name: RECIPES[name].group) == "ladder") & table["minutes"].notna()]
    for name, runs in ladder.dropna(subset=["test_accuracy"]).groupby("recipe", sort=False):
        colour = "#D55E00" if str(name).startswith("nb_ngrams") else "#0072B2"
        axes.scatter(runs["minutes"], runs["test_accuracy"], s=22, color=colour)
        place = (runs["minutes"].mean(), runs["test_accuracy"].max())
        axes.annotate(str(name), place, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9)
    axes.set(xscale="log", xlabel="minutes from raw text, all counted", ylabel="test accuracy")
    axes.set_title("IMDB: one point per run")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.12, y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
