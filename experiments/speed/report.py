"""Results.md and speed.png from results.csv: medians, with the smallest and largest repetition in brackets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas
from matplotlib.figure import Figure

NAMES = {
    "tutorial": "(a) tutorial: random, padded, fp32",
    "packed": "(b) nn.LSTM, packed, bucketed, fp32",
    "padded": "(c) nn.LSTM, padded, bucketed, fp32",
    "project64": "(d) this project, joint batch 64",
    "project": "(d) this project, its defaults",
}
COLOURS = dict(zip(NAMES, ("#999999", "#CC79A7", "#0072B2", "#E69F00", "#D55E00"), strict=True))
SHORT_NAMES = {
    "tutorial": "(a) tutorial",
    "packed": "(b) nn.LSTM, packed",
    "padded": "(c) nn.LSTM, padded",
    "project64": "(d) joint batch 64",
    "project": "(d) this project",
}
DIRECTIONS = {1: "one direction", 2: "both directions"}


def write_report(folder: Path) -> None:
    table = pandas.read_csv(folder / "results.csv")
    for needed in ("way", "work", "directions"):
        if needed not in table:
            raise SystemExit(f"{folder / 'results.csv'}: no column {needed}; run the study first")
    speed = with_shares(table)
    (folder / "results.md").write_text(
        "\n\n".join([about(table), aims(table, speed), speeds(speed), rates(table), profiles(table), others(table)])
        + "\n"
    )
    picture(speed).savefig(folder / "speed.png", dpi=120)
    print((folder / "results.md").read_text())


def with_shares(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of `speed`, each with its share of the matrix products' rate on that machine in the same turn.

    `share` is that of square products, `step_share` that of products of the size that an LSTM makes at each token.
    The columns `operations_per_second` hold FLOP/s.
    """
    on = ["repetition", "processes", "threads", "device", "precision"]
    speed = table[table["measure"] == "speed"].dropna(axis=1, how="all")
    rates = table.loc[table["measure"] == "products", [*on, "operations_per_second", "step_operations_per_second"]]
    joined = speed.merge(rates.rename(columns={"operations_per_second": "products"}), on=on, how="left")
    joined["share"] = joined["operations_per_second"] / joined["products"]
    joined["step_share"] = joined["operations_per_second"] / joined["step_operations_per_second"]
    return joined


def about(table: pandas.DataFrame) -> str:
    facts = table[table["measure"] == "about"]
    lines = [f"- {name}: {value}" for name, value in zip(facts["way"], facts["note"], strict=True)]
    return "\n".join(["# Results", "", "Written by study.py. Median (smallest to largest repetition).", "", *lines])


def values(speed: pandas.DataFrame, way: str, work: str, directions: int, column: str) -> pandas.Series:
    """Return one column of the measurements of one way, by repetition."""
    rows = speed[(speed["way"] == way) & (speed["work"] == work) & (speed["directions"] == directions)]
    return rows.set_index("repetition")[column]


def ratio(speed: pandas.DataFrame, over: str, under: str, work: str, directions: int) -> pandas.Series:
    """Return reviews per second of `over` divided by those of `under`, by repetition.

    `project64` was not measured where the default batch is 64; then it means `project`.
    """
    over = over if over in set(speed["way"]) else "project"
    column = "reviews_per_second"
    return values(speed, over, work, directions, column) / values(speed, under, work, directions, column)


def aims(table: pandas.DataFrame, speed: pandas.DataFrame) -> str:
    """Return a table of each aim and what was found. The aims are for IMDB on two cores."""
    lines = ["## What it must show (aims for IMDB on two cores)", "", "| | aim | found |", "| --- | --- | --- |"]

    def row(name: str, aim: str, found: pandas.Series, show: Callable[[float], str]) -> None:
        lines.append(f"| {name} | {aim} | {spread(found, show)} |")

    row("(d) over (a), training, one direction, joint batch 64", "8 or more",
        ratio(speed, "project64", "tutorial", "training", 1), times)  # fmt: skip
    row("the same with the default batch", "11 or more", ratio(speed, "project", "tutorial", "training", 1), times)
    row("(d) over (b), training, both directions", "300 or more",
        ratio(speed, "project", "packed", "training", 2), times)  # fmt: skip
    for directions, name in DIRECTIONS.items():
        row(f"(d) over (c), training, {name}", "3 or more",
            ratio(speed, "project", "padded", "training", directions), times)  # fmt: skip
    row("(d)'s arithmetic over matrix products, training, one direction", "0.7 or more",
        values(speed, "project", "training", 1, "share"), "{:.2f}".format)  # fmt: skip
    row("the same over matrix products of a step's size", "",
        values(speed, "project", "training", 1, "step_share"), "{:.2f}".format)  # fmt: skip
    for directions, name in DIRECTIONS.items():
        row(f"(d) over (a), inference, {name}", "10 or more",
            ratio(speed, "project", "tutorial", "inference", directions), times)  # fmt: skip
    row("tokenizing and encoding, first time", "25 s or less", results(table, "prepare, first time"), "{:.1f} s".format)
    row("the same from cache", "under 1.5 s", results(table, "prepare, from cache"), "{:.2f} s".format)
    row("start to first training step, demo, second start", "8 s or less",
        results(table, "start to first step, demo"), "{:.1f} s".format)  # fmt: skip
    row("peak memory, experiment=imdb, all processes", "3 GiB or less",
        results(table, "experiment=imdb, one epoch", "peak_mib") / 1024, "{:.2f} GiB".format)  # fmt: skip
    large = table[table["measure"] == "prepare, repeated"]
    if len(large):
        least, most = large.iloc[0], large.iloc[-1]
        name = f"{most['reviews']:,.0f} over {least['reviews']:,.0f} reviews"
        each = pandas.Series([most["seconds"] / most["reviews"] * least["reviews"] / least["seconds"]])
        row(f"{name}: peak memory", "under 1.1", pandas.Series([most["peak_mib"] / least["peak_mib"]]), "{:.2f}".format)
        row(f"{name}: time per review", "under 1.1", each, "{:.2f}".format)
    return "\n".join(lines)


def speeds(speed: pandas.DataFrame) -> str:
    lines = [
        "## Reviews per second",
        "",
        "Whole reviews, embedding 100, hidden 128, one layer, last state. Arithmetic: the LSTM's matrix products on "
        "tokens, without padding, as a share of the rate of square matrix products in the same precision by as many "
        "processes and threads, measured in the same turn. Timed: the reviews of one repetition and their share of the "
        "split. (a) and (d) take reviews of evenly spaced lengths, (b) and (c) batches of evenly spaced widths. Few "
        "batches flatter (b), whose time grows with the square of the width: the widest are not among them.",
        "",
        "| | reviews/s | tokens/s | arithmetic | peak memory | over (a) | timed | machine |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for work in ("training", "inference"):
        for directions, direction in DIRECTIONS.items():
            lines.append(f"| **{work}, {direction}** | | | | | | | |")
            for way in [way for way in NAMES if way in set(speed["way"])]:
                lines.append(f"| {NAMES[way]} | {' | '.join(cells(speed, way, work, directions))} |")
    return "\n".join(lines)


def cells(speed: pandas.DataFrame, way: str, work: str, directions: int) -> list[str]:
    def each(column: str, show: Callable[[float], str]) -> str:
        return spread(values(speed, way, work, directions, column), show)

    rows = speed[(speed["way"] == way) & (speed["work"] == work) & (speed["directions"] == directions)]
    first = rows.iloc[0]
    memory = each("peak_mib", "{:,.0f} MiB".format) if rows.get("peak_mib", pandas.Series()).notna().any() else "?"
    if "gpu_mib" in rows and rows["gpu_mib"].notna().any():
        memory += f", GPU {each('gpu_mib', '{:,.0f} MiB'.format)}"
    return [
        each("reviews_per_second", figure),
        each("tokens_per_second", "{:,.0f}".format),
        each("share", "{:.2f}".format),
        memory,
        spread(ratio(speed, way, "tutorial", work, directions), times),
        f"{first['reviews']:,.0f} ({first['share_of_epoch']:.1%})",
        machine(first),
    ]


def rates(table: pandas.DataFrame) -> str:
    lines = ["## Matrix products, GFLOP/s", "", "| machine | square | of a step of the LSTM |"]
    lines.append("| --- | --- | --- |")
    found = table[table["measure"] == "products"]
    for _, rows in found.groupby(["device", "precision", "processes", "threads"]):
        columns = (rows["operations_per_second"] / 1e9, rows["step_operations_per_second"] / 1e9)
        lines.append(f"| {machine(rows.iloc[0])} | {' | '.join(spread(each, '{:,.0f}'.format) for each in columns)} |")
    lines += ["", "Square: 1024 × 1024 on a CPU, 8192 × 8192 on a GPU. A step: [64, 128] times [128, 512]."]
    return "\n".join(lines)


def profiles(table: pandas.DataFrame) -> str:
    """Return a table of the shares of training time in this project, by kind of operator."""
    found = table[table["measure"] == "profile"]
    lines = ["## Where the time of a training goes", "", "By torch's profiler, in one process of this project.", ""]
    if found.empty:
        return "\n".join([*lines[:2], "not measured"])
    lines += [f"| | {' | '.join(DIRECTIONS.values())} |", "| --- | --- | --- |"]
    whole = found.groupby("directions")["seconds"].sum()
    for kind, rows in found.groupby("way", sort=False):
        seconds = rows.set_index("directions")["seconds"]
        shares = [f"{seconds[directions] / whole[directions]:.1%}" for directions in DIRECTIONS]
        lines.append(f"| {kind} | {' | '.join(shares)} |")
    return "\n".join(lines)


def others(table: pandas.DataFrame) -> str:
    lines = ["## Before and around the training", "", "| | seconds | reviews | microseconds per review | peak memory |"]
    lines.append("| --- | --- | --- | --- | --- |")
    rows = table[~table["measure"].isin(["about", "speed", "products", "profile"])].copy()
    rows["reviews"] = rows["reviews"].fillna(0)
    for (measure, reviews), group in rows.groupby(["measure", "reviews"], sort=False):
        each = spread(group["seconds"] / reviews * 1e6, "{:,.0f}".format) if reviews else ""
        memory = spread(group["peak_mib"], "{:,.0f} MiB".format) if group["peak_mib"].notna().any() else "?"
        shown = f"{reviews:,.0f}" if reviews else ""
        lines.append(f"| {measure} | {spread(group['seconds'], '{:.2f}'.format)} | {shown} | {each} | {memory} |")
    lines += [
        "",
        "Peak memory: each process's own peak, added up over all that live at once; shared pages count in each. "
        "Only for experiment=imdb they count once, and the sum is taken once per second.",
    ]
    return "\n".join(lines)


def results(table: pandas.DataFrame, measure: str, column: str = "seconds") -> pandas.Series:
    return table.loc[table["measure"] == measure, column]


def machine(row: pandas.Series) -> str:
    kind = {"float32": "fp32", "bfloat16": "bf16"}[row["precision"]]
    where = "1 GPU" if row["device"] == "cuda" else f"{row['processes']:.0f} × {row['threads']:.0f} threads"
    return f"{where}, {kind}"


def spread(found: pandas.Series, show: Callable[[float], str]) -> str:
    """Format the median, and in brackets the smallest and largest; `not measured` without values."""
    found = found.dropna()
    if found.empty:
        return "not measured"
    median = show(found.median())
    return median if len(found) == 1 else f"{median} ({show(found.min())} to {show(found.max())})"


def times(value: float) -> str:
    return f"{figure(value)} ×"


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def picture(speed: pandas.DataFrame) -> Figure:
    """Draw reviews per second of each way on a logarithmic axis, from the smallest to the largest repetition."""
    chart = Figure(figsize=(9, 5.2), layout="constrained")
    ways = [way for way in NAMES if way in set(speed["way"])]
    for axes, (work, directions) in zip(
        chart.subplots(2, 2, sharex=True, sharey=True).flat,
        [(work, directions) for work in ("training", "inference") for directions in DIRECTIONS],
        strict=True,
    ):
        for place, way in enumerate(reversed(ways)):
            found = values(speed, way, work, directions, "reviews_per_second")
            median = found.median()
            errors = [[median - found.min()], [found.max() - median]]
            axes.errorbar(median, place, xerr=errors, fmt="o", color=COLOURS[way], capsize=3)
            axes.annotate(figure(median), (median, place), (0, 6), textcoords="offset points", ha="center")
        axes.set(xscale="log", title=f"{work}, {DIRECTIONS[directions]}", ylim=(-0.6, len(ways) - 0.3))
        axes.set_yticks(range(len(ways)), [SHORT_NAMES[way] for way in reversed(ways)])
        axes.grid(axis="x", color="#E2E2E2")
        axes.spines[["top", "right"]].set_visible(False)
    chart.supxlabel("reviews per second")
    return chart
