"""How fast reviews are tokenized: this project's way beside `datasets.Dataset.map`, and spans beside whole texts.

    python experiments/speed/tokenizing.py                     # IMDB from the Hub
    python experiments/speed/tokenizing.py data.path=FOLDER    # IMDB from a folder in the Hub's layout
    python experiments/speed/tokenizing.py --quick             # a small test run
    python experiments/speed/tokenizing.py --report            # only rebuild tokenizing.md from tokenizing.csv

Every further argument is an override that chooses the reviews. The ways take turns, each in its own process;
nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas
from processes import watched
from worker import MARK

from sentexp.errors import SentexpError
from sentexp.machine.cores import available_cores

HERE = Path(__file__).resolve().parent
COPIES = 10
REVIEWS_PER_CHUNK = 1000

PREPARE = {
    "pipeline": "this project: pool, span tokenizer, own cache",
    "map": "Dataset.map with spacy.blank",
    "map, spans": "Dataset.map with this project's span tokenizer",
}
PASSES = {
    "plain spaCy": "`spacy.blank` on whole texts",
    "whole texts": "this project's SpacyTokenizer on whole texts",
    "spans": "the same by spans",
}

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, help="3, or 1 if quick; the copied reviews are measured once")
    parser.add_argument("--quick", action="store_true", help="measure little")
    parser.add_argument("--report", action="store_true", help="measure nothing, rebuild the report")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for tokenizing.csv and tokenizing.md")
    parser.add_argument("--in-this-process", help=argparse.SUPPRESS)
    arguments, overrides = parser.parse_known_args()
    if arguments.in_this_process:
        asked = json.loads(arguments.in_this_process)
        print(MARK + json.dumps(MEASURES[asked.pop("measure")](**asked)), flush=True)
        return
    table = arguments.output / "tokenizing.csv"
    if not arguments.report:
        try:
            rows = measure(overrides, arguments.repetitions or (1 if arguments.quick else 3), arguments.quick)
        except SentexpError as error:
            raise SystemExit(f"tokenizing: {error}") from None
        arguments.output.mkdir(parents=True, exist_ok=True)
        pandas.DataFrame(rows).to_csv(table, index=False, float_format="%.6g")
    report = write_report(pandas.read_csv(table))
    (arguments.output / "tokenizing.md").write_text(report, encoding="utf-8")
    print(report)


def measure(overrides: list[str], repetitions: int, quick: bool) -> list[Row]:
    from sentexp.tracking import environment

    if not any(override.startswith("data=") for override in overrides):
        overrides = ["data=imdb", *overrides]
    if quick:
        overrides = [*overrides, "data.limit=1000"]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sentexp-tokenizing-") as name:
        folder = Path(name)
        sizes = in_a_process("store", overrides=overrides, folder=str(folder / "once"), copies=1)
        in_a_process("store", overrides=overrides, folder=str(folder / "copied"), copies=COPIES)
        for repetition in range(repetitions):
            for way in rotated(PASSES, repetition):
                found = in_a_process("first_pass", way=way, reviews=str(folder / "once"))
                rows.append(shown({"measure": "pass", "way": way, "repetition": repetition, **found}))
            for way in rotated(PREPARE, repetition):
                rows += prepare_twice(way, folder / "once", 1, repetition)
        for way in PREPARE:
            rows += prepare_twice(way, folder / "copied", COPIES, 0)
    for copies in (1, COPIES):
        digests = {row["digest"] for row in rows if row.get("copies") == copies}
        assert len(digests) == 1, f"the ways give different token ids: {digests}"
    about = environment.describe()
    facts = {
        "reviews": f"{', '.join(f'{count:,} {split}' for split, count in sizes['sizes'].items())} ({sizes['source']})",
        "measured": "quickly: not for quoting" if quick else f"{repetitions} times, taking turns",
        "cpu": f"{about['hardware']['cpu']}, {about['hardware']['usable_cpus']} processors",
        "memory": f"{about['hardware']['memory_gib']} GiB",
        "versions": ", ".join(f"{name} {about['versions'][name]}" for name in ("python", "datasets", "spacy", "numpy")),
        "commit": f"{about['git']['commit']}{' and changes' if about['git']['dirty'] else ''}",
    }
    return [{"measure": "about", "way": name, "note": value} for name, value in facts.items()] + rows


def rotated(ways: dict[str, str], by: int) -> list[str]:
    names = list(ways)
    return names[by % len(names) :] + names[: by % len(names)]


def prepare_twice(way: str, reviews: Path, copies: int, repetition: int) -> list[Row]:
    """Prepare with an empty cache, then again in a new process with the cache that the first left."""
    folder = reviews.with_name(f"{reviews.name}-{way}-{repetition}")
    shutil.copytree(reviews, folder, copy_function=os.link)  # `datasets` puts its cache beside the reviews
    rows = []
    for when in ("first", "second"):
        before = size_of(folder)
        found = in_a_process("prepare", way=way, folder=str(folder))
        found["cache_mib"] = (size_of(folder) - before) / 2**20
        assert (found["cache_mib"] > 0.001) == (when == "first"), f"{way}: {found['cache_mib']} MiB more, {when} time"
        named = {"measure": "prepare", "way": way, "copies": copies, "when": when, "repetition": repetition}
        rows.append(shown({**named, **found}))
    shutil.rmtree(folder)
    return rows


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def shown(row: Row) -> Row:
    names = " ".join(str(row[name]) for name in ("measure", "way", "copies", "when", "repetition") if name in row)
    print(f"[{time.strftime('%H:%M:%S')}] {names}: {row['seconds']:.2f} s, {row['peak_mib']:,.0f} MiB", flush=True)
    return row


def in_a_process(name: str, **asked: Any) -> Row:
    """Run one of MEASURES in its own process. Returns its result, and `peak_mib` of it and its children."""
    command = [sys.executable, __file__, "--in-this-process", json.dumps({"measure": name, **asked})]
    for line, peak in watched(command, shared_once=True):
        if line.startswith(MARK):
            found = {**json.loads(line.removeprefix(MARK)), "peak_mib": peak}
    return found


def store(overrides: list[str], folder: str, copies: int) -> Row:
    """Write the reviews as `datasets` keeps them, each split repeated `copies` times."""
    import datasets

    from sentexp.config import compose
    from sentexp.instantiate import build

    reviews = build(compose(*overrides).data)
    splits = {split: datasets.concatenate_datasets([rows] * copies) for split, rows in reviews.splits.items()}
    datasets.DatasetDict(splits).save_to_disk(folder)
    digests = {split: f"{digest} times {copies}" for split, digest in reviews.digests.items()}
    (Path(folder) / "digests.json").write_text(json.dumps(digests))
    sizes = {split: len(rows) for split, rows in splits.items()}
    return {"sizes": sizes, "source": Path(reviews.source).name}


def prepare(way: str, folder: str) -> Row:
    """Tokenize, count, and look up; the results are cached in `folder`."""
    import datasets
    import tokenizing_ways as ways

    datasets.disable_progress_bars()
    splits = datasets.load_from_disk(folder)
    digests = json.loads((Path(folder) / "digests.json").read_text())
    cores, _ = available_cores()
    began = time.perf_counter()
    if way == "pipeline":
        ids = ways.by_pipeline(splits, digests, Path(folder), cores)
    else:
        ids = ways.by_map(splits, way == "map, spans", Path(folder), cores)
    seconds = time.perf_counter() - began
    digest = "-".join(ways.digest_of(ids[split]) for split in splits)
    reviews = sum(len(split) for split in splits.values())
    return {"seconds": seconds, "reviews": reviews, "processes": cores, "digest": digest}


def first_pass(way: str, reviews: str) -> Row:
    """Tokenize the training reviews in this process, for the first time; spaCy has been loaded before."""
    import datasets
    import tokenizing_ways as ways

    chunks = ways.texts_of(datasets.load_from_disk(reviews)["train"], REVIEWS_PER_CHUNK)
    chunk_tokenizer, counting = ways.chunk_tokenizer_of(way)
    chunk_tokenizer.tokenize([""])
    began = time.perf_counter()
    tokens = sum(len(chunk_tokenizer.tokenize(texts).ids) for texts in chunks)
    found = {
        "seconds": time.perf_counter() - began,
        "reviews": sum(map(len, chunks)),
        "tokens": tokens,
        "processes": 1,
    }
    return found | ({"whole_texts": counting.texts} if counting else {})


MEASURES = {"store": store, "prepare": prepare, "first_pass": first_pass}


def write_report(table: pandas.DataFrame) -> str:
    about = table[table["measure"] == "about"]
    facts = [f"- {name}: {value}" for name, value in zip(about["way"], about["note"], strict=True)]
    return "\n".join(
        [
            "# Tokenizing",
            "",
            "Written by tokenizing.py. Median (smallest to largest repetition).",
            "",
            *facts,
            "",
            *prepare_report(table[table["measure"] == "prepare"]),
            "",
            *pass_report(table[table["measure"] == "pass"]),
            "",
        ]
    )


def prepare_report(table: pandas.DataFrame) -> list[str]:
    lines = [
        "## From reviews to token ids",
        "",
        "All ways tokenize as spaCy does, with HTML removed and lower case, count the training tokens, look up a "
        f"vocabulary of 25,000, and give the same token ids. They have {table['processes'].max():.0f} processes. The "
        "second time, a new process finds the cache of the first. Memory: the most that all processes together hold, "
        "shared pages counted once, seen once per second.",
        "",
        "| | seconds | over this project | memory, MiB | over this project | cache, MiB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (_, when), group in table.groupby(["copies", "when"], sort=False):
        lines.append(f"| **{group['reviews'].iloc[0]:,.0f} reviews, {when} time** | | | | | |")
        ours = by_repetition(group, "pipeline")
        for way, name in PREPARE.items():
            rows = by_repetition(group, way)
            cells = [
                spread(rows["seconds"], "{:.2f}"),
                spread(rows["seconds"] / ours["seconds"], "{:.2f} ×"),
                spread(rows["peak_mib"], "{:,.0f}"),
                spread(rows["peak_mib"] / ours["peak_mib"], "{:.2f} ×"),
                spread(rows["cache_mib"], "{:,.0f}") if when == "first" else "",
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def pass_report(table: pandas.DataFrame) -> list[str]:
    spans = by_repetition(table, "spans")
    whole = spans["whole_texts"].iloc[0] / spans["reviews"].iloc[0]
    lines = [
        "## By spans and by whole texts",
        "",
        f"One process, the first pass over the {spans['reviews'].iloc[0]:,.0f} training reviews, spaCy already loaded. "
        f"By spans, {whole:.1%} of the texts have a white space that an exception may span, and are tokenized as a "
        "whole.",
        "",
        "| | seconds | tokens per second | over spans, seconds |",
        "| --- | --- | --- | --- |",
    ]
    for way, name in PASSES.items():
        rows = by_repetition(table, way)
        cells = [
            spread(rows["seconds"], "{:.2f}"),
            spread(rows["tokens"] / rows["seconds"], "{:,.0f}"),
            spread(rows["seconds"] / spans["seconds"], "{:.2f} ×"),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def by_repetition(table: pandas.DataFrame, way: str) -> pandas.DataFrame:
    return table[table["way"] == way].set_index("repetition")


def spread(found: pandas.Series, form: str) -> str:
    """Format the median, and in brackets the smallest and largest."""
    low, median, high = (form.format(value) for value in (found.min(), found.median(), found.max()))
    return median if len(found) == 1 else f"{median} ({low} to {high})"


if __name__ == "__main__":
    main()
