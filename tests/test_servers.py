"""Which servers are sent a password of the user's."""

from __future__ import annotations

import pytest

from sentexp.servers import sent_passwords


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENTEXP_STORAGE_PASSWORD", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "opensesame")
    for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("address", [None, "study.journal", "sqlite:///x.db", "file:///x", ""])
def test_a_file_is_sent_none(address: str | None) -> None:
    assert not list(sent_passwords("sweep.storage", address))
    assert not list(sent_passwords("tracking.uri", address))


def test_a_server_is_sent_those_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    (sent,) = sent_passwords("tracking.uri", "http://ann:secret@far")
    line = "tracking.uri=http://ann:***@far: would be sent your MLFLOW_TRACKING_PASSWORD; expected another"
    assert sent.refusal("another") == line
    assert [sent.variable for sent in sent_passwords("sweep.storage", "mysql://far")] == ["SENTEXP_STORAGE_PASSWORD"]
    monkeypatch.delenv("SENTEXP_STORAGE_PASSWORD")
    assert not list(sent_passwords("sweep.storage", "mysql://far"))


def test_the_users_own_server_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://near")
    assert not list(sent_passwords("tracking.uri", "http://near"))
    assert list(sent_passwords("tracking.uri", "http://far"))
