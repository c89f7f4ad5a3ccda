"""Depth x direction x embedding on a part of IMDB, as one sweep; its recorded tables and pictures become the report.

    python experiments/architecture/study.py                                     # IMDB and GloVe by download
    python experiments/architecture/study.py data.path=FOLDER embedding.path=GLOVE.6B.50D.TXT
    python experiments/architecture/study.py --quick ...                         # a small test run
    python experiments/architecture/study.py --report                            # only rebuild the report

Every further argument is an override for the whole sweep. An interrupted sweep is resumed, and a finished one is not
run again; to start anew, remove the folder runs/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import yaml
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from sentexp.report.style import BLUE, GREEN, VERMILION, new_figure, save, styled
from sentexp.sweep.results import SweepResults

HERE = Path(__file__).resolve().parent
DEPTH, DIRECTION, EMBEDDING = "model.num_layers", "model.bidirectional", "embedding"
AXES = {DEPTH: ["1", "2"], DIRECTION: ["false", "true"], EMBEDDING: ["random_50", "glove_50", "one_hot"]}
SETTINGS = [
    "experiment=imdb_supervised",
    "data.limit=6000",
    "text.max_length=200",
    "vocab.max_size=10000",
    "model.hidden_size=64",
    "trainer.epochs=5",
]
QUICK = ["data.limit=200", "text.max_length=20", "model.hidden_size=8", "trainer.epochs=2"]
COPIED = ("jobs.csv", "points.csv", "metric_by_parameter.png", "learning_curves.png", "parallel_coordinates.png",
          "parameter_importance.png")  # fmt: skip
NAMES = {"random_50": "random, 50", "glove_50": "GloVe, 50", "one_hot": "one-hot"}
COLOURS = {"random_50": BLUE, "glove_50": VERMILION, "one_hot": GREEN}
CLEAR = 2.0
"""Standard errors that a difference must exceed to count as one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each point")
    parser.add_argument("--quick", action="store_true", help="run little, and report to runs/quick")
    parser.add_argument("--report", action="store_true", help="run nothing, rebuild the report")
    arguments, overrides = parser.parse_known_args()
    runs = HERE / "runs" / ("quick" if arguments.quick else "full")
    if not arguments.report:
        run_sweep(runs, arguments.seeds, [*(QUICK if arguments.quick else []), *overrides])
    write_report(SweepResults.load(runs / "sweep"), store_of(runs), runs if arguments.quick else HERE)


def run_sweep(runs: Path, seeds: int, overrides: list[str]) -> None:
    """Start or resume the one sweep of this study."""
    program = [sys.executable, "-m", "sentexp", "-m", "--config-dir", str(runs / "conf")]
    if (runs / "sweep" / "sweep.yaml").is_file():
        command = [*program, f"sweep.resume='{runs / 'sweep'}'"]
    else:
        glove = [text.partition("=")[2] for text in overrides if text.startswith("embedding.path=")]
        write_options(runs / "conf" / "embedding", str(Path(glove[-1]).resolve()) if glove else None)
        axes = [f"{key}={','.join(values)}" for key, values in AXES.items()]
        recorded = [f"tracking.uri='{store_of(runs)}'", "tracking.experiment=architecture", "tracking.log_model=false"]
        settings = merged(SETTINGS, [text for text in overrides if not text.startswith("embedding.path=")])
        command = [*program, "hydra/launcher=pool", f"hydra.sweep.dir='{runs / 'sweep'}'"]
        command += [*axes, *settings, f"sweep.seeds={seeds}", *recorded]
    ended = subprocess.run(command).returncode
    if ended:
        sys.exit(ended)


def write_options(folder: Path, glove: str | None) -> None:
    """Write options of our own: `embedding=one_hot` has no keys dim and path that one override could set for all."""
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, dict[str, Any]] = {"random": {"dim": 50}, "glove": {"dim": 50, "path": glove}}
    for name, values in options.items():
        text = yaml.safe_dump({"defaults": [name, "_self_"], **values}, sort_keys=False)
        (folder / f"{name}_50.yaml").write_text(text, encoding="utf-8")


def store_of(runs: Path) -> str:
    return f"sqlite:///{runs / 'runs.db'}"


def merged(settings: list[str], overrides: list[str]) -> list[str]:
    """Return each key once, with the value that was given last."""
    return list({text.partition("=")[0]: text for text in [*settings, *overrides]}.values())


def write_report(record: SweepResults, store: str, output: Path) -> None:
    """Copy the tables and pictures of the parent run, and add one table and one picture made from the copies."""
    assert record.parent_run_id is not None
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        found = Path(download_artifacts(run_id=record.parent_run_id, artifact_path="sweep", dst_path=folder,
                                        tracking_uri=store))  # fmt: skip
        for name in COPIED:
            shutil.copyfile(found / name, output / name)
    jobs, points = (pandas.read_csv(output / name, dtype=dict.fromkeys(AXES, str)) for name in COPIED[:2])
    (output / "results.md").write_text(as_markdown(jobs, points, about(record, store)), encoding="utf-8")
    save(accuracy(jobs, points), output / "accuracy.png")
    print((output / "results.md").read_text(encoding="utf-8"))


def about(record: SweepResults, store: str) -> str:
    """Return the settings and the hardware that all runs shared, as text."""
    config = record.config
    run = MlflowClient(store).get_run(next(job.run_id for job in record.jobs if job.run_id is not None))
    machine = [run.data.tags.get("hardware.cpu", ""), f"processes: {run.data.tags['chosen.processes']}"]
    machine += [run.data.tags["chosen.precision"], f"torch {run.data.tags['versions.torch']}"]
    sizes = f"at most {config['data']['limit']:,} reviews of each split, cut to {config['text']['max_length']} words"
    shape = f"hidden size {config['model']['hidden_size']}, {config['trainer']['epochs']} epochs"
    minutes = sum(job.seconds or 0 for job in record.jobs) / 60
    return (
        f"{sizes[0].upper()}{sizes[1:]}; {config['vocab']['max_size']:,} words; {shape}. {len(record.jobs)} runs of "
        f"{60 * minutes / len(record.jobs):.0f} s on average, {minutes:.0f} minutes of runs in all "
        f"(hydra/launcher={record.launcher}).\n\n{', '.join(text for text in machine if text)}\n"
    )


def as_markdown(jobs: pandas.DataFrame, points: pandas.DataFrame, settings: str) -> str:
    lines = ["| layers | directions | embedding | runs | test accuracy | test loss | best validation accuracy |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for _, point in points.iterrows():
        cells = [point[DEPTH], directions(point[DIRECTION]), NAMES[point[EMBEDDING]], str(point["n"])]
        cells += [spread(point, metric) for metric in ("test/accuracy", "test/loss", "best/valid_accuracy")]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Mean ± standard deviation over seeds, as the sweep recorded them in points.csv.", ""]
    deviation = pooled(jobs)
    lines += ["| change | among | test accuracy | |", "| --- | --- | --- | --- |"]
    for change, among, difference, error in effects(jobs, deviation):
        if pandas.isna(error):
            lines.append(f"| {change} | {among} | {difference:+.4f} | one seed: no verdict |")
            continue
        verdict = "beyond the spread" if abs(difference) > CLEAR * error else "within the spread"
        lines.append(f"| {change} | {among} | {difference:+.4f} ± {error:.4f} | {verdict} |")
    if not pandas.isna(deviation):
        lines += [
            "",
            f"Difference of means ± its standard error, from the standard deviation over the seeds of a point, pooled "
            f"over all points: {deviation:.4f}. Within the spread means at most {CLEAR:.0f} standard errors; one in "
            "twenty differences goes beyond them by chance.",
        ]
    lines += ["", settings]
    return "\n".join(lines)


def directions(bidirectional: str) -> str:
    return "both" if bidirectional.lower() == "true" else "one"


def spread(point: Any, metric: str) -> str:
    deviation = point[f"{metric} sd"]
    return f"{point[metric]:.4f}" + ("" if pandas.isna(deviation) else f" ± {deviation:.4f}")


def pooled(jobs: pandas.DataFrame) -> float:
    """Return the standard deviation over the seeds of a point, pooled over all points; nan if no point has two runs."""
    groups = [group["test/accuracy"].dropna() for _, group in jobs.groupby(list(AXES))]
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    freedom = sum(max(0, len(group) - 1) for group in groups)
    return float(np.sqrt(squares / freedom)) if freedom else float("nan")


def effects(jobs: pandas.DataFrame, deviation: float) -> list[tuple[str, str, float, float]]:
    """Return for each change: its name, among which runs, the difference of mean test accuracy, its standard error."""
    changes = [
        ("two layers instead of one", DEPTH, "1", "2"),
        ("both directions instead of one", DIRECTION, "false", "true"),
        ("GloVe instead of random", EMBEDDING, "random_50", "glove_50"),
        ("one-hot instead of random", EMBEDDING, "random_50", "one_hot"),
    ]
    kinds = {"all": jobs} | {NAMES[name]: jobs[jobs[EMBEDDING] == name] for name in AXES[EMBEDDING]}
    found = []
    for what, key, before, after in changes:
        for among, some in kinds.items() if key != EMBEDDING else [("all", jobs)]:
            first, second = (some.loc[some[key] == value, "test/accuracy"].dropna() for value in (before, after))
            error = deviation * float(np.sqrt(1 / len(first) + 1 / len(second)))
            found.append((what, among, float(second.mean() - first.mean()), error))
    return found


@styled
def accuracy(jobs: pandas.DataFrame, points: pandas.DataFrame) -> Figure:
    """Draw test accuracy by depth, direction and embedding: a bar of mean ± sd, one dot per seed."""
    figure, (axes,) = new_figure(8.5, 4.6)
    groups = [(depth, direction) for depth in AXES[DEPTH] for direction in AXES[DIRECTION]]
    for place, (depth, direction) in enumerate(groups):
        for offset, embedding in zip((-0.22, 0.0, 0.22), AXES[EMBEDDING], strict=True):
            at = {DEPTH: depth, DIRECTION: direction, EMBEDDING: embedding}
            (point,) = points[matches(points, at)].to_dict("records")
            axes.errorbar(
                place + offset, point["test/accuracy"], yerr=point["test/accuracy sd"], fmt="o", capsize=4,
                color=COLOURS[embedding], markersize=7, label=NAMES[embedding] if place == 0 else None,
            )  # fmt: skip
            seeds = jobs.loc[matches(jobs, at), "test/accuracy"]
            axes.plot([place + offset + 0.07] * len(seeds), seeds, ".", color=COLOURS[embedding], alpha=0.5)
    labels = [f"{depth} layer{'s' * (depth != '1')},\n{directions(which)} direction{'s' * (which == 'true')}"
              for depth, which in groups]  # fmt: skip
    axes.set_xticks(range(len(groups)), labels)
    axes.grid(False, axis="x")
    axes.set_ylabel("test accuracy")
    axes.set_title("A part of IMDB: mean ± standard deviation over seeds, one dot per seed", fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, title="word vectors")
    return figure


def matches(table: pandas.DataFrame, at: dict[str, str]) -> pandas.Series:
    """Return, for each row of `table`, whether its columns have the values of `at`."""
    return (table[list(at)].apply(lambda column: column.str.lower()) == pandas.Series(at)).all(axis=1)


if __name__ == "__main__":
    main()
