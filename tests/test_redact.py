from __future__ import annotations

import pytest

from sentexp.redact import flatten, shown, without_passwords


def test_every_leaf_has_its_dotted_key_and_reads_as_on_the_command_line() -> None:
    config = {
        "model": {"dropout": 0.0, "bidirectional": True, "pooling": "last"},
        "text": {"clean": {"html": True}, "max_length": None},
        "vocab": {"specials": ["<unk>", "<pad>"]},
        "optimizer": {"lr": 1e-3, "betas": [0.9, 0.999]},
        "empty": {},
        "seed": 0,
    }
    assert flatten(config) == {
        "model.dropout": "0.0",
        "model.bidirectional": "true",
        "model.pooling": "last",
        "text.clean.html": "true",
        "text.max_length": "null",
        "vocab.specials": '["<unk>", "<pad>"]',
        "optimizer.lr": "0.001",
        "optimizer.betas": "[0.9, 0.999]",
        "empty": "{}",
        "seed": "0",
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://anna:secret@db/runs", "postgresql://anna:***@db/runs"),
        ("postgresql://anna:sec/ret@db/runs", "postgresql://anna:***@db/runs"),
        ("postgresql://anna@db/runs?a=b&Password=secret&c=d", "postgresql://anna@db/runs?a=b&Password=***&c=d"),
        ("tracking.uri=https://:secret@server", "tracking.uri=https://:***@server"),
        ("sqlite:////home/a:b/mlflow.db", "sqlite:////home/a:b/mlflow.db"),
        ("postgresql://anna:12/34@db/runs", "postgresql://anna:***@db/runs"),
        ("postgresql://anna:se@cret@db/runs", "postgresql://anna:***@db/runs"),
        ("mssql://anna@db/runs?PWD=secret", "mssql://anna@db/runs?PWD=***"),
        ("postgresql://db:5432/runs?options=a@b", "postgresql://db:5432/runs?options=a@b"),
        ("http://server:5000/path", "http://server:5000/path"),
        ("a review: good@best", "a review: good@best"),
        ({"uri": ["mysql://a:b@c"], "seed": 1}, {"uri": ["mysql://a:***@c"], "seed": 1}),
    ],
)
def test_passwords_in_addresses_are_left_out_and_nothing_else(given: object, shown: object) -> None:
    assert without_passwords(given) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (False, "false"), (1e-3, "0.001"), ("a", "a"), ("db://a:b@c", "db://a:***@c"),
     ([1, "db://a:b@c"], "[1, 'db://a:***@c']")],
)  # fmt: skip
def test_a_message_shows_a_value_as_the_command_line_has_it_without_passwords(value: object, text: str) -> None:
    assert f"{shown(value)}" == text
