"""A sound data set, and files in which something is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

from sentexp.config import compose
from sentexp.data.demo import LABELS, write_reviews
from sentexp.schema import Config

Rows = list[tuple[str, str]]


def sound(size: int = 400) -> Rows:
    """Return reviews without a fault as (text, label)."""
    texts, labels = write_reviews(size, seed=3)
    return [(text, LABELS[label]) for text, label in zip(texts, labels, strict=True)]


def config_of(folder: Path, *overrides: str, **files: Rows) -> Config:
    """Write each file with a header and return the configuration that reads them: `whole`, or one per split."""
    given = []
    for name, rows in files.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        given.append(f"data.{'path' if name == 'whole' else name}={folder / name}.csv")
    return compose("data=files", *given, f"cache_dir={folder / 'cache'}", "tokenizer=basic", *overrides)
