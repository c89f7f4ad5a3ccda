"""Runs the presets post, post_fixed and imdb with several seeds, and makes a table and a picture of the recorded runs.

    python experiments/imdb/study.py                         # IMDB from the Hub
    python experiments/imdb/study.py data.path=FOLDER        # or from a folder in the Hub's layout
    python experiments/imdb/study.py --report                # only rebuild results.csv, results.md and accuracy.png

Every further argument is an override for all runs. A finished run is not run again.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import pandas
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run

HERE = Path(__file__).resolve().parent
STORE = f"sqlite:///{HERE / 'runs.db'}"
PRESETS = ("post", "post_fixed", "imdb")
COLOURS = {"post": "#999999", "post_fixed": "#0072B2", "imdb": "#D55E00"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each preset")
    parser.add_argument("--report", action="store_true", help="run nothing, rebuild the report")
    arguments, overrides = parser.parse_known_args()
    if not arguments.report:
        for preset in reversed(PRESETS):
            for seed in range(arguments.seeds):
                run_once(preset, seed, overrides)
    write_report(finished_runs())


def run_once(preset: str, seed: int, overrides: list[str]) -> None:
    if any(preset_and_seed(run) == (preset, seed) for run in finished_runs()):
        print(f"{preset}, seed {seed}: already recorded", flush=True)
        return
    print(f"{preset}, seed {seed}", flush=True)
    settings = [f"experiment={preset}", f"seed={seed}", f"tracking.uri='{STORE}'", "tracking.experiment=imdb"]
    settings += [f"tracking.run_name={preset}-{seed}", "tracking.log_model=false"]
    subprocess.run([sys.executable, "-m", "sentexp", *settings, *overrides], check=True)


def finished_runs() -> list[Run]:
    client = MlflowClient(STORE)
    experiment = client.get_experiment_by_name("imdb")
    if experiment is None:
        return []
    return list(client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'", max_results=1000))


def preset_and_seed(run: Run) -> tuple[str, int]:
    return run.data.params["experiment"], int(run.data.params["seed"])


def write_report(runs: list[Run]) -> None:
    rows = []
    for run in sorted(runs, key=lambda run: (PRESETS.index(preset_and_seed(run)[0]), preset_and_seed(run)[1])):
        preset, seed = preset_and_seed(run)
        metrics = run.data.metrics
        rows.append(
            {
                "preset": preset,
                "seed": seed,
                "test_accuracy": metrics["test/accuracy"],
                "test_loss": metrics["test/loss"],
                "test_roc_auc": metrics["test/roc_auc"],
                "best_valid_accuracy": metrics["best/valid_accuracy"],
                "best_epoch": int(metrics["best/epoch"]),
                "reviews_per_second": metrics["reviews_per_second"],
                "processes": run.data.tags["chosen.processes"],
                "precision": run.data.tags["chosen.precision"],
                "hardware": run.data.tags.get("hardware.cpu", ""),
                "torch": run.data.tags["versions.torch"],
            }
        )
    table = pandas.DataFrame(rows)
    table.to_csv(HERE / "results.csv", index=False, float_format="%.5g")
    (HERE / "results.md").write_text(as_markdown(table))
    picture(runs).savefig(HERE / "accuracy.png", dpi=120)
    print((HERE / "results.md").read_text())


def as_markdown(table: pandas.DataFrame) -> str:
    """Return a table of the mean ± standard deviation over the seeds of each preset."""
    lines = ["| preset | runs | test accuracy | test loss | best validation accuracy |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for preset, group in table.groupby("preset", sort=False):
        cells = [
            spread(group["test_accuracy"], 4),
            spread(group["test_loss"], 4),
            spread(group["best_valid_accuracy"], 4),
        ]
        lines.append(f"| `experiment={preset}` | {len(group)} | {' | '.join(cells)} |")
    last = table.iloc[-1]
    lines.append("")
    lines.append(f"{last['hardware']}, processes: {last['processes']}, {last['precision']}, torch {last['torch']}")
    return "\n".join(lines) + "\n"


def spread(values: pandas.Series, digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{values.mean():.{digits}f} ± {deviation:.{digits}f}"


def picture(runs: list[Run]) -> Figure:
    client = MlflowClient(STORE)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        preset, seed = preset_and_seed(run)
        points = client.get_metric_history(run.info.run_id, "valid/accuracy")
        axes.plot(
            [point.step for point in points],
            [point.value for point in points],
            marker="o",
            markersize=3,
            color=COLOURS[preset],
            label=preset if seed == 0 else None,
        )
    axes.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0.45, 0.95))
    axes.set_title("IMDB from scratch: one line per seed")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, loc="center right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
