from __future__ import annotations

import pickle

import pytest
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

pytest.importorskip("cloudpickle", reason="needs the extra pool")

from sentexp.private_interfaces import return_value
from sentexp.sweep.worker import Sweep, failed, returned


@pytest.mark.parametrize("on_disk", [False, True])
def test_passwords_of_the_environment_are_left_out_of_what_is_written_to_disk(monkeypatch, on_disk: bool) -> None:
    secrets = {
        "SENTEXP_STORAGE_PASSWORD": "opensesame",
        "MLFLOW_TRACKING_TOKEN": "0123",
        "MLFLOW_CRYPTO_KEK_PASSPHRASE": "opensesame",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "opensesame",
        "MLFLOW_TRACKING_URI": "https://ann:opensesame@tracking.example",
    }
    for name, value in {**secrets, "SENTEXP_PLACE": "here", "ELSEWHERE": "there"}.items():
        monkeypatch.setenv(name, value)
    packed = Sweep.packed(None, len, OmegaConf.create(), on_disk=on_disk)  # type: ignore[arg-type]
    environment = pickle.loads(packed).environment
    assert environment["SENTEXP_PLACE"] == "here"
    assert "ELSEWHERE" not in environment
    assert secrets.keys() & environment.keys() == (set() if on_disk else secrets.keys())
    assert (b"opensesame" in packed) is not on_disk


def test_a_failure_survives_the_way_back_to_the_driver() -> None:
    result = returned(pickle.dumps(failed(["x=1"], ValueError("wrong"))))
    assert (result.status, result.overrides) == (JobStatus.FAILED, ["x=1"])
    assert repr(return_value(result)) == "ValueError('wrong')"
