from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny import PAD, FailsElsewhere, FailsToArrive, TinyModel, corpus

from sentexp.errors import TrainingDiverged
from sentexp.model.classifier import RecurrentClassifier
from sentexp.training import ProcessDied, choose_machine, fit, schedules
from sentexp.training.processes import TALL


@pytest.fixture(autouse=True)
def no_process_stays():
    yield
    assert multiprocessing.active_children() == []


def trained(model: torch.nn.Module, processes: int, **changes):
    settings = {
        "optimizer": partial(torch.optim.SGD, lr=0.5),
        "schedule": schedules.constant,
        "machine": choose_machine(device="cpu", precision="fp32", processes=processes),
        "pad_index": PAD,
        "seed": 0,
        "epochs": 2,
        "batch_size": 16,
    }
    return fit(model, corpus(97), corpus(60, seed=1), **(settings | changes))  # the last batch: one review


def fresh(**arguments) -> TinyModel:
    torch.manual_seed(0)
    return TinyModel(**arguments)


def test_two_processes_take_the_steps_of_one():
    one, two = fresh(), fresh()
    alone, shared = trained(one, 1, clip_norm=0.1), trained(two, 2, clip_norm=0.1)
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(alone.history, shared.history, strict=True):
        for name in ("train/loss", "train/accuracy", "valid/loss", "valid/accuracy", "lr"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5)


def test_two_processes_take_the_steps_of_one_with_many_words():
    """Where of the word vectors' gradient only the rows of words in the batch are sent."""
    one, two = fresh(words=TALL), fresh(words=TALL)
    momentum = partial(torch.optim.SGD, lr=0.5, momentum=0.9)
    trained(one, 1, optimizer=momentum)
    trained(two, 2, optimizer=momentum)
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_two_processes_take_the_steps_of_one_through_the_recurrent_classifier():
    one, two = (recurrent() for _ in range(2))
    trained(one, 1)
    trained(two, 2)
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def recurrent() -> RecurrentClassifier:
    torch.manual_seed(0)
    return RecurrentClassifier(
        torch.nn.Embedding(20, 6),
        num_classes=2,
        unk_index=0,
        hidden_size=5,
        bidirectional=True,
        pooling="concat",
    )


@pytest.mark.slow
def test_processes_that_torchrun_has_started_train_together(tmp_path):
    """Both end with the weights that two processes of our own end with; the first alone calls back. No thread of
    the group is left, which would abort the process at its end."""
    (tmp_path / "program.py").write_text(
        "import json, os, torch; from glob import glob\n"
        "from tiny import TinyModel; from test_processes import trained\n"
        "torch.manual_seed(0); model = TinyModel(); epochs = []\n"
        "trained(model, 2, on_epoch=lambda metrics, epoch: epochs.append(epoch))\n"
        "threads = sum('gloo' in open(name).read() for name in glob('/proc/self/task/*/comm'))\n"
        "json.dump([model.head.weight.tolist(), epochs, threads], open(f'rank{os.environ[\"RANK\"]}.json', 'w'))\n"
    )
    paths = os.pathsep.join(path for path in [str(Path(__file__).parent), *sys.path] if path)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *command, str(tmp_path / "program.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    ours = fresh()
    trained(ours, 2)
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == [ours.head.weight.tolist(), [1, 2], 0]
    assert second == [ours.head.weight.tolist(), [], 0]


@pytest.mark.slow
def test_the_same_processes_are_the_same_run_bit_for_bit():
    one, two = fresh(dropout=0.5), fresh(dropout=0.5)
    first, second = trained(one, 2), trained(two, 2)
    assert [entry["train/loss"] for entry in first.history] == [entry["train/loss"] for entry in second.history]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize(
    ("how", "cause"), [("raises", "ZeroDivisionError: the worker's own mistake"), ("killed", "ended by SIGKILL")]
)
def test_a_process_that_fails_ends_all_with_its_cause(how, cause):
    began = time.monotonic()
    with pytest.raises(ProcessDied, match=cause):
        trained(FailsElsewhere(how), 2)
    assert time.monotonic() - began < 60


def test_a_process_that_never_gets_ready_ends_all():
    with pytest.raises(ProcessDied, match="ZeroDivisionError: cannot be unpickled"):
        trained(FailsToArrive(), 2)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_what_ends_the_first_process_ends_the_others(raised):
    def on_epoch(metrics, epoch):
        raise raised

    with pytest.raises(raised):
        trained(fresh(), 2, on_epoch=on_epoch)


def test_divergence_is_the_same_error():
    with pytest.raises(TrainingDiverged):
        trained(fresh(), 2, optimizer=partial(torch.optim.SGD, lr=1e38))
