from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sentexp.schema import Config
from sentexp.use.recorded_config import composed_over


def reviews_file(folder: Path, labels: tuple[str, ...] = ("neg", "pos"), reviews: int = 40) -> Path:
    path = folder / "reviews.csv"
    texts = [f"a good film {number}" if number % 3 else f"not bad {number}" for number in range(reviews)]
    pd.DataFrame({"text": texts, "label": [labels[row % len(labels)] for row in range(reviews)]}).to_csv(path)
    return path


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Composes a configuration that judges a model by 40 reviews, of which some are negated."""
    monkeypatch.setenv("SENTEXP_CACHE_DIR", str(tmp_path / "cache"))

    def composed(*overrides: str, labels: tuple[str, ...] = ("neg", "pos"), reviews: int = 40) -> Config:
        path = reviews_file(tmp_path, labels, reviews)
        return composed_over(
            {}, ["data=files", f"data.path={path}", "trainer.device=cpu", "trainer.precision=fp32", *overrides]
        )

    return composed
