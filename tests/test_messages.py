from __future__ import annotations

import logging

import pytest

from sentexp import messages
from sentexp.inspection.findings import Finding


def test_training_says_the_grave_findings_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    messages.about_findings([Finding("a", "a grave one; data.key=value", True), Finding("b", "a minor one", False)])
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "data: a grave one; data.key=value")
    ]


@pytest.mark.parametrize(
    ("overrides", "preset"),
    [
        (("data=files",), "recommended"),
        (("data=imdb", "seed=1"), "imdb"),
        (("data=files", "model.dropout=0.5"), None),
        (("data=files", "model=nb_ngrams"), None),
        (("data=files", "experiment=recommended"), None),
        ((), None),
    ],
)
def test_a_run_on_real_reviews_with_the_demos_values_names_the_preset(
    overrides: tuple[str, ...], preset: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    chosen = {"data": "demo", "model": "lstm"} | dict(override.split("=") for override in overrides)
    messages.about_defaults(overrides, chosen)
    said = [record.getMessage() for record in caplog.records]
    assert said == (
        [f"model: its default values suit the demo; experiment={preset} suits these reviews better"] if preset else []
    )
