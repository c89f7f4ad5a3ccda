from __future__ import annotations

import socket
import time

import pytest

pytest.importorskip("ray", reason="needs the extra ray")

from hydra_plugins.sentexp_launchers.ray_launcher import RayLauncher
from sentexp.errors import SentexpError


@pytest.mark.parametrize("through_environment", [False, True])
def test_a_cluster_that_does_not_answer_is_given_up_within_seconds(monkeypatch, through_environment: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"  # nobody listens there
        monkeypatch.setenv("RAY_ADDRESS", address)
        began = time.monotonic()
        with pytest.raises(SentexpError) as refused:
            assert RayLauncher("auto" if through_environment else address, num_cpus=1, num_gpus=0).width
    assert time.monotonic() - began < 10
    assert str(refused.value).startswith(f"hydra.launcher.address={address}: no Ray cluster answers (")
    assert "expected HOST:PORT" in str(refused.value)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "ray://head:10001", "http://head", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SentexpError, match="not an address; expected HOST:PORT"):
        assert RayLauncher(address, num_cpus=1, num_gpus=0).width


@pytest.mark.parametrize("address", ["127.0.0.1:65536", "127.0.0.1:99999999999", f"{'x' * 70}:1", "no.invalid:6379"])
def test_an_address_that_cannot_be_reached_is_refused(address: str) -> None:
    with pytest.raises(SentexpError, match="no Ray cluster answers"):
        assert RayLauncher(address, num_cpus=1, num_gpus=0).width
