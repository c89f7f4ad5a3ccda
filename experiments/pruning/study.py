"""TPE with median pruning beside TPE without, on the demo corpus: epochs used, and the best that was found.

    python experiments/pruning/study.py                  # 30 trials, 5 search seeds, with and without: ten sweeps
    python experiments/pruning/study.py --quick          # a small test run
    python experiments/pruning/study.py --report         # only rebuild results.md and the picture from results.csv

Every further argument is an override for all sweeps. An interrupted sweep is resumed, and a finished one is not run
again; to start anew, remove the folder runs/.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import optuna
import pandas
from matplotlib.figure import Figure
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner

from sentexp.report.style import GREY, VERMILION, new_figure, save, styled
from sentexp.sweep.results import SweepResults
from sentexp.tracking import environment

HERE = Path(__file__).resolve().parent
PRUNERS = ("none", "median")
SETTINGS = ["sweep=optimizer", "trainer.epochs=8", "model.hidden_size=64", "trainer.processes=1", "tracking=none"]
QUICK = ["data.size=400", "sweep.n_trials=8", "trainer.epochs=3", "model.hidden_size=8"]
COLOURS = {"none": GREY, "median": VERMILION}
SAVING_AIM = 1 / 3
"""Share of the epochs that pruning should save."""
AS_GOOD = 0.005
"""Accuracy that the best trial may lose to pruning: the standard error of 0.99 measured on 480 reviews."""
NEAR = 0.01
"""Accuracy within which a trial counts as good as the best of its search."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="searches with and without pruning")
    parser.add_argument("--side-by-side", type=int, default=2, help="sweeps that run at a time, each on one core")
    parser.add_argument("--quick", action="store_true", help="run little, and report to runs/quick")
    parser.add_argument("--report", action="store_true", help="run nothing, rebuild the report")
    arguments, overrides = parser.parse_known_args()
    runs = HERE / "runs" / ("quick" if arguments.quick else "full")
    output = runs if arguments.quick else HERE
    if not arguments.report:
        if arguments.quick:
            overrides = [*QUICK, *overrides]
        searches = [(pruner, seed) for seed in range(arguments.seeds) for pruner in PRUNERS]
        with ThreadPoolExecutor(arguments.side_by_side) as pool:
            list(pool.map(lambda search: run_sweep(runs, *search, overrides), searches))
        table = pandas.DataFrame([row for search in searches for row in trials_of(runs, *search)])
        table.to_csv(output / "results.csv", index=False, float_format="%.6g")
        (output / "about.txt").write_text(about(runs), encoding="utf-8")
    write_report(output)


def folder_of(runs: Path, pruner: str, seed: int) -> Path:
    return runs / f"{pruner}-{seed}"


def run_sweep(runs: Path, pruner: str, seed: int, overrides: list[str]) -> None:
    """Run one search, one trial after another on one core, so that each trial knows all before it."""
    folder = folder_of(runs, pruner, seed)
    if (folder / "sweep.yaml").is_file():
        arguments = [f"sweep.resume='{folder}'"]
    else:
        settings = {text.partition("=")[0]: text for text in [*SETTINGS, *overrides]}
        arguments = [*settings.values(), f"sweep.pruner={pruner}", f"seed={seed}", f"hydra.sweep.dir='{folder}'"]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.log").open("a") as log:
        ended = subprocess.run(
            [sys.executable, "-m", "sentexp", "-m", *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=runs,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).returncode  # fmt: skip
    states = [job.state for job in SweepResults.load(folder).jobs] if (folder / "sweep.yaml").is_file() else []
    counted = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    print(f"pruner {pruner}, seed {seed}: {counted or 'no trial'}", flush=True)
    if ended not in (0, 1) or not states or {"waiting", "running"} & set(states):  # status 1: some runs failed
        sys.exit(f"study: the sweep in {folder} did not end well; see its output.log")


def trials_of(runs: Path, pruner: str, seed: int) -> Iterable[dict[str, object]]:
    for job in SweepResults.load(folder_of(runs, pruner, seed)).jobs:
        yield {
            "seed": seed,
            "pruner": pruner,
            "trial": job.number,
            "state": job.state,
            "epochs": len(job.history),
            "best_valid_accuracy": job.metrics.get("best/valid_accuracy"),
            "test_accuracy": job.metrics.get("test/accuracy"),
            "seconds": job.seconds,
            "valid_accuracy": " ".join(f"{entry['valid/accuracy']:.4f}" for entry in job.history),
            "point": str(job.point),
        }


def about(runs: Path) -> str:
    config = SweepResults.load(folder_of(runs, PRUNERS[0], 0)).config
    found = environment.describe()
    return (
        f"Demo corpus of {config['data']['size']:,} reviews, {config['trainer']['epochs']} epochs at most, hidden size "
        f"{config['model']['hidden_size']}; one trial after another. {found['hardware']['cpu']}, "
        f"torch {found['versions']['torch']}, optuna {optuna.__version__}\n"
    )


def write_report(output: Path) -> None:
    table = pandas.read_csv(output / "results.csv")
    searches = pandas.DataFrame([summary(trials) for _, trials in table.groupby(["seed", "pruner"])])
    text = f"{as_markdown(searches)}\n{replays(table)}\n{(output / 'about.txt').read_text(encoding='utf-8')}"
    (output / "results.md").write_text(text, encoding="utf-8")
    save(picture(table), output / "pruning.png")
    print(text)


def summary(trials: pandas.DataFrame) -> dict[str, object]:
    """Summarize one search. As in every sweep, the best trial is the best of those that were not pruned."""
    finished = trials[trials["state"] == "finished"]
    best = finished.loc[finished["best_valid_accuracy"].idxmax()]
    return {
        "seed": trials["seed"].iloc[0],
        "pruner": trials["pruner"].iloc[0],
        "epochs": int(trials["epochs"].sum()),
        "pruned": int((trials["state"] == "pruned").sum()),
        "failed": int((trials["state"] == "failed").sum()),
        "best": best["best_valid_accuracy"],
        "test": best["test_accuracy"],
        "minutes": trials["seconds"].sum() / 60,
    }


def as_markdown(searches: pandas.DataFrame) -> str:
    without, pruned = (searches[searches["pruner"] == name].set_index("seed") for name in PRUNERS)
    saved = 1 - pruned["epochs"] / without["epochs"]
    better, better_test = pruned["best"] - without["best"], pruned["test"] - without["test"]
    lines = [
        "Without and with pruning:",
        "",
        "| seed | epochs | saved | pruned trials | best validation accuracy | its test accuracy | minutes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for seed in pruned.index:
        one, two = without.loc[seed], pruned.loc[seed]
        lines.append(
            f"| {seed} | {one['epochs']}, {two['epochs']} | {100 * saved[seed]:.0f} % | {two['pruned']} | "
            f"{one['best']:.4f}, {two['best']:.4f} | {one['test']:.4f}, {two['test']:.4f} | "
            f"{one['minutes']:.1f}, {two['minutes']:.1f} |"
        )
    enough, good = saved.mean() >= SAVING_AIM, better.mean() >= -AS_GOOD
    lines += [
        "",
        f"- Saved: {spread(100 * saved, 0)} % of the epochs (mean ± standard deviation over {len(saved)} seeds, least "
        f"{100 * saved.min():.0f} %): {'at least' if enough else 'less than'} the third that was aimed at.",
        f"- Best validation accuracy with pruning, less that without: {spread(better, 4)}: "
        f"{'as good' if good else 'worse'} (worse means by more than {AS_GOOD}).",
        f"- The same of the best trials' test accuracy: {spread(better_test, 4)}.",
        f"- Minutes of all trials: {without['minutes'].sum():.1f} without, {pruned['minutes'].sum():.1f} with.",
        f"- Failed trials: {int(searches['failed'].sum())} of all.",
        "",
    ]
    return "\n".join(lines)


def replays(table: pandas.DataFrame) -> str:
    """Return a table of what other settings would have saved on the trials that ran without pruning.

    A real search would have sampled other trials, so this compares settings and predicts nothing.
    """
    settings: dict[str, Callable[[], BasePruner]] = {
        f"median, startup_trials={startup}, warmup_epochs={warmup}": partial(MedianPruner, startup, warmup)
        for startup, warmup in ((5, 1), (5, 2), (5, 3), (10, 1), (10, 2))
    }
    settings["successive_halving, warmup_epochs=1"] = partial(SuccessiveHalvingPruner, 1, 3)
    settings["hyperband, warmup_epochs=1"] = partial(HyperbandPruner, 1, reduction_factor=3)
    complete = table[(table["pruner"] == "none") & (table["state"] == "finished")]
    lines = [
        "Replayed over the trials that ran without pruning:",
        "",
        f"| pruner | saved | best, less the true best | stopped, yet would have ended within {NEAR} of it |",
        "| --- | --- | --- | --- |",
    ]
    for name, pruner in settings.items():
        found = [replay(trials, pruner()) for _, trials in complete.groupby("seed")]
        saved, lost, good = (pandas.Series(column) for column in zip(*found, strict=True))
        lines.append(f"| {name} | {spread(100 * saved, 0)} % | {spread(lost, 4)} | {spread(good, 1)} trials |")
    return "\n".join([*lines, ""])


def replay(trials: pandas.DataFrame, pruner: BasePruner) -> tuple[float, float, int]:
    """Return the share of epochs that `pruner` saves, its best minus the best of all, and the good trials it stops."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="replay", direction="maximize", pruner=pruner)
    curves = [[float(value) for value in str(text).split()] for text in trials["valid_accuracy"]]
    true_best = max(map(max, curves))
    used, best, good = 0, 0.0, 0
    for curve in curves:
        trial = study.ask()
        for epoch, value in enumerate(curve, start=1):
            used += 1
            trial.report(value, epoch)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                good += max(curve) >= true_best - NEAR
                break
        else:
            study.tell(trial, max(curve))
            best = max(best, *curve)
    return 1 - used / sum(map(len, curves)), best - true_best, good


def spread(values: pandas.Series, digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{values.mean():.{digits}f} ± {deviation:.{digits}f}"


@styled
def picture(table: pandas.DataFrame) -> Figure:
    """Draw the best accuracy so far by the epochs used so far, one line per search."""
    figure, (axes,) = new_figure(8, 4.4)
    for (seed, pruner), trials in table.groupby(["seed", "pruner"], sort=False):
        epochs = trials["epochs"].cumsum()
        best = trials["best_valid_accuracy"].cummax().ffill()
        label = {"none": "without pruning", "median": "with median pruning"}[pruner] if seed == 0 else None
        axes.step(epochs, best, where="post", color=COLOURS[pruner], linewidth=1.5, alpha=0.8, label=label)
        axes.plot(epochs.iloc[-1], best.iloc[-1], "o", color=COLOURS[pruner], markersize=5)
    axes.set_ylim(bottom=0.96)
    axes.set_xlabel("epochs used by all trials so far")
    axes.set_ylabel("best validation accuracy so far")
    axes.set_title(f"One line per search of {table['trial'].max() + 1} trials; the dot is its end")
    axes.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main()
