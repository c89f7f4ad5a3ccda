from __future__ import annotations

import dataclasses

import pytest
import torch

from sentexp.errors import SentexpError
from sentexp.machine import choose, torchrun
from sentexp.machine.choose import choose_machine, limited_threads
from sentexp.machine.workload import Workload

IMDB = Workload(tokens=19_000_000, steps=1100, batch=64, multiplied=120_000, shared=2_600_000)
DEMO = dataclasses.replace(IMDB, tokens=300_000, steps=200)
BAG_OF_WORDS = dataclasses.replace(IMDB, multiplied=101)
CPU = torch.device("cpu")


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(choose, "available_cores", lambda: (4, "4 physical cores"))


def test_auto_is_the_cpu_where_there_is_no_gpu(no_cuda):
    chosen = choose_machine(precision="fp32")
    assert (chosen.device, chosen.precision, chosen.processes) == (CPU, torch.float32, 1)
    assert chosen.reasons["device"] == "cpu (PyTorch sees no CUDA device)"


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        ({"device": "cuda"}, SentexpError, "^trainer.device=cuda: "),
        ({"device": "gpu"}, ValueError, "^device=gpu: expected auto, cpu, cuda or cuda:N$"),
        ({"precision": "fp16"}, ValueError, "^precision=fp16: expected auto, fp32 or bf16$"),
    ],
)
def test_what_cannot_be_is_refused(wanted, error, message, no_cuda):
    with pytest.raises(error, match=message):
        choose_machine(**wanted)


@pytest.mark.parametrize(
    ("workload", "threads", "expected"),
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
def test_auto_processes_pay_off(workload, threads, expected, four_cores):
    count, reason = choose.resolve_processes("auto", CPU, threads, workload)
    assert count == expected
    assert reason.startswith(f"{expected} (")


@pytest.mark.parametrize("asked", ["0", "-1", "many", "1.5"])
def test_processes_that_cannot_be(asked):
    with pytest.raises(ValueError, match=rf"^processes={asked}: expected auto or a number from 1$"):
        choose_machine(processes=asked)


def test_processes_as_asked_even_if_small(four_cores):
    assert choose_machine(processes=3).processes == 3
    assert choose_machine(processes="2", workload=DEMO).processes == 2


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


def test_threads_are_given_back():
    before = torch.get_num_threads()

    def fail():
        with limited_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before
