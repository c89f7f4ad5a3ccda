from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny import TinyModel, corpus

from sentexp.errors import SentexpError
from sentexp.machine import choose, torchrun
from sentexp.machine.choose import Work, choose_machine, limited_threads

IMDB = Work(tokens=19_000_000, steps=1100, batch=64, multiplied=120_000, shared=2_600_000)
DEMO = dataclasses.replace(IMDB, tokens=300_000, steps=200)
BAG_OF_WORDS = dataclasses.replace(IMDB, multiplied=101)
CPU = torch.device("cpu")


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(choose, "available_cores", lambda: (4, "4 physical cores"))


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")


def test_auto_is_the_cpu_where_there_is_no_gpu(no_cuda):
    chosen = choose_machine(precision="fp32")
    assert (chosen.device, chosen.precision, chosen.processes) == (CPU, torch.float32, 1)
    assert chosen.reasons["device"] == "cpu (PyTorch sees no CUDA device)"


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_refused(name, no_cuda):
    with pytest.raises(SentexpError, match=rf"^trainer.device={name}: .*; expected trainer.device=cpu or auto here$"):
        choose_machine(device=name)


@pytest.mark.parametrize("name", ["gpu", "mps", "cuda:x", "meta"])
def test_other_devices_are_refused(name):
    with pytest.raises(SentexpError, match=rf"^trainer.device={name}: expected auto, cpu, cuda or cuda:1$"):
        choose_machine(device=name)


def test_gpus_by_number(two_gpus):
    assert choose.resolve_device("auto")[0] == torch.device("cuda:0")
    assert choose.resolve_device("cuda:1") == (torch.device("cuda:1"), "cuda:1 (GPU 1, as asked)")
    with pytest.raises(SentexpError, match=r"^trainer.device=cuda:2: no such device; expected cuda:0 to cuda:1$"):
        choose.resolve_device("cuda:2")


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)])
def test_auto_precision_of_a_gpu_goes_by_its_capability(capability, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose.resolve_precision("auto", torch.device("cuda:0"))[0] == expected


@pytest.mark.parametrize(
    ("avx", "amx", "expected"), [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")]
)
def test_auto_precision_of_a_cpu_goes_by_its_instructions(avx, amx, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    dtype, reason = choose.resolve_precision("auto", CPU)
    assert (dtype == torch.bfloat16) is (expected == "bf16")
    assert reason.startswith(expected)
    assert choose.resolve_precision("bf16", CPU)[0] == torch.bfloat16
    assert choose.resolve_precision("fp32", CPU)[0] == torch.float32


def test_a_precision_that_is_none():
    with pytest.raises(SentexpError, match=r"^trainer.precision=fp16: not one of auto, fp32, bf16$"):
        choose_machine(precision="fp16")


@pytest.mark.parametrize(
    ("work", "threads", "expected"),
    [
        (IMDB, 1, 4),
        (IMDB, 2, 2),
        (IMDB, 4, 1),
        (DEMO, 1, 1),  # too short to pay for starting
        (BAG_OF_WORDS, 1, 1),  # adding up the gradients of its vectors would take longer than it saves
        (dataclasses.replace(IMDB, batch=32), 1, 2),  # at least 16 reviews each
        (dataclasses.replace(IMDB, batch=8), 1, 1),
        (None, 1, 1),
    ],
)
def test_auto_processes_pay_off(work, threads, expected, four_cores):
    count, reason = choose.resolve_processes("auto", CPU, threads, work)
    assert count == expected
    assert reason.startswith(f"{expected} (")


@pytest.mark.parametrize("asked", ["0", "-1", "many", "1.5"])
def test_processes_that_cannot_be(asked):
    with pytest.raises(SentexpError, match=rf"^trainer.processes={asked}: expected auto or a number from 1$"):
        choose_machine(processes=asked)


def test_processes_as_asked_even_if_small(four_cores):
    assert choose_machine(processes=3).processes == 3
    assert choose_machine(processes="2", work=DEMO).processes == 2


def test_torchrun_decides(monkeypatch):
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert choose_machine().processes == 2
    assert torchrun.rank() == 1
    with pytest.raises(SentexpError, match=r"^trainer.processes=3: torchrun has started 2; expected auto or 2$"):
        choose_machine(processes=3)


def test_work_of_a_model():
    reviews = corpus(100)
    work = Work.of(TinyModel(), reviews.lengths, epochs=3, batch_size=8, max_tokens=None)
    words = len(reviews.ids)
    assert work == Work(tokens=3 * words, steps=3 * 13, batch=8, multiplied=5, shared=85)


def test_threads_are_given_back():
    before = torch.get_num_threads()

    def fail():
        with limited_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before
