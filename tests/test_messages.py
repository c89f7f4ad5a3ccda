from __future__ import annotations

import logging

import pytest

from sentexp import messages
from sentexp.data.demo import load
from sentexp.inspection.findings import Finding
from sentexp.training.objective import virtual_adversarial


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


def test_an_objective_that_finds_no_reviews_without_labels_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sentexp")
    reads, few = virtual_adversarial(1, 5, 1, 64), load(40, 0.2, 0.1, None, 0)
    messages.about_objective(virtual_adversarial(1, 5, 1, None), few)
    messages.about_objective(reads, load(40, 0.2, 0.1, None, 0, unlabelled=10))
    assert not caplog.records
    messages.about_objective(reads, few)
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "objective: it also learns from reviews without labels, and the data has none;"
    )
