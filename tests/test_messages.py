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
