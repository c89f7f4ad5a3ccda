from __future__ import annotations

import pytest
import torch

from sentexp.errors import SentexpError
from sentexp.machine.device import resolve_device, resolve_precision

CPU = torch.device("cpu")


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_refused(name, no_cuda):
    with pytest.raises(SentexpError, match=rf"^trainer.device={name}: .*; expected trainer.device=cpu or auto here$"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["gpu", "mps", "cuda:x", "meta", "cuda:-1", "cuda:1.5", "cpu:x", "AUTO"])
def test_other_devices_are_refused(name):
    with pytest.raises(ValueError, match=rf"^device={name}: expected auto, cpu, cuda or cuda:N$"):
        resolve_device(name)


def test_gpus_by_number(two_gpus):
    assert resolve_device("auto")[0] == torch.device("cuda:0")
    assert resolve_device("cuda:1") == (torch.device("cuda:1"), "cuda:1 (GPU 1, as requested)")
    with pytest.raises(SentexpError, match=r"^trainer.device=cuda:2: no such device; expected cuda:0 to cuda:1$"):
        resolve_device("cuda:2")


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)])
def test_auto_precision_of_a_gpu_goes_by_its_capability(capability, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision("auto", torch.device("cuda:0"))[0] == expected


@pytest.mark.parametrize(
    ("avx", "amx", "expected"), [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")]
)
def test_auto_precision_of_a_cpu_goes_by_its_instructions(avx, amx, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    dtype, reason = resolve_precision("auto", CPU)
    assert (dtype == torch.bfloat16) is (expected == "bf16")
    assert reason.startswith(expected)
    assert resolve_precision("bf16", CPU)[0] == torch.bfloat16
    assert resolve_precision("fp32", CPU)[0] == torch.float32


def test_a_precision_that_is_none():
    with pytest.raises(ValueError, match=r"^precision=fp16: expected auto, fp32 or bf16$"):
        resolve_precision("fp16", CPU)
