"""A sweep's files hold no password that the command line, a file or the environment had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentexp.errors import SentexpError
from sentexp.sweep.passwords import in_environment

SECRET = "opensesame"
ADDRESS = f"http://ann:{SECRET}@host/x"


def holding(folder: Path) -> set[str]:
    """Return the names of the files that hold the password."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in files if SECRET.encode() in path.read_bytes()}


@pytest.mark.parametrize(
    "launcher",
    [
        [],
        ["hydra/launcher=pool", "hydra.launcher.n_jobs=1"],
        pytest.param(["hydra/launcher=submitit_local", "hydra.launcher.n_jobs=1"], marks=pytest.mark.slow),
    ],
    ids=lambda launcher: "".join(launcher[:1]),
)
def test_a_password_on_the_command_line_reaches_the_jobs_and_no_file(app, fates, launcher: list[str]) -> None:
    pytest.importorskip("submitit", reason="needs the extra submitit")
    ended = app("x=1,2", f"+address={ADDRESS}", fates(x1="raise"), *launcher)
    assert ended.status == 1
    assert SECRET not in ended.said + ended.refused
    assert (app.folder / "address.txt").read_text() == ADDRESS
    assert holding(app.sweep) == set()

    app.mend()
    ended = app("sweep.resume=latest")
    assert (ended.status, ended.refused.count("\n")) == (2, 1)
    assert "address had a password, which is not kept; expected address=... too" in ended.refused
    ended = app("sweep.resume=latest", f"+address={ADDRESS}")
    assert ended.status == 0, ended.refused
    assert holding(app.sweep) == set()


def test_nor_does_one_of_a_file_or_of_the_environment(app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_TOKEN", SECRET)
    config = app.folder / "conf" / "config.yaml"
    config.write_text(f"{config.read_text()}address: {ADDRESS}\nkey: '${{oc.env:APP_TOKEN}}'\n")
    ended = app("x=1,2")
    assert ended.status == 0, ended.refused
    assert (app.folder / "address.txt").read_text() == ADDRESS
    assert holding(app.sweep) == set()
    assert "key: ${oc.env:APP_TOKEN}" in (app.sweep / "experiment" / "best.yaml").read_text()


def test_only_a_value_with_a_password_moves_into_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTEXP_PASSWORD_TRACKING_URI", raising=False)
    reference = "data.path=http://ann:${oc.env:PASSWORD}@host"
    hidden = in_environment(["x=1,2", f"tracking.uri='{ADDRESS}'", reference])
    assert hidden == ["x=1,2", "tracking.uri=${oc.env:SENTEXP_PASSWORD_TRACKING_URI}", reference]
    assert os.environ.pop("SENTEXP_PASSWORD_TRACKING_URI") == ADDRESS


@pytest.mark.parametrize("value", [f"'{ADDRESS}',b", f"[{ADDRESS}]", f"{{uri: {ADDRESS}}}"])
def test_a_password_in_more_than_one_value_is_refused_without_it(value: str) -> None:
    with pytest.raises(SentexpError, match=r"^tracking=.*\*\*\*@.*: a password in more than one value") as error:
        in_environment([f"tracking={value}"])
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("host", ["${oc.env:HOST}:9", "${address}"])
def test_a_password_beside_a_reference_is_refused_without_it(host: str) -> None:
    with pytest.raises(SentexpError, match=r"beside a reference; expected one for the password too, such as") as error:
        in_environment([f"tracking.uri='http://ann:{SECRET}@{host}/x'"])
    assert SECRET not in str(error.value)


def test_no_two_keys_share_a_variable() -> None:
    keys = ["+a.b", "+a_b", "+a.B", "+a-b", "~a.c"]
    hidden = in_environment([f"{key}=http://ann:{number}@host" for number, key in enumerate(keys)])
    names = [one.partition("oc.env:")[2].rstrip("}") for one in hidden]
    assert [os.environ.pop(name) for name in names] == [f"http://ann:{number}@host" for number in range(len(keys))]
    assert (names[0], names[-1]) == ("SENTEXP_PASSWORD_A_B", "SENTEXP_PASSWORD_A_C")
