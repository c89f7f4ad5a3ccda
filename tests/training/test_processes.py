from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny import FailsElsewhere, FailsToArrive, TinyModel, corpus, recipe

from sentexp.errors import TrainingDiverged
from sentexp.model.classifier import RecurrentClassifier
from sentexp.training import ProcessDied, choose_machine, fit
from sentexp.training.objective import Objective
from sentexp.training.processes import TALL


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path_factory, monkeypatch):
    """No process, and none of the temporary files of a training."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert multiprocessing.active_children() == []
    assert [path for path in folder.iterdir() if path.name.startswith(("sentexp-", "pytorch-"))] == []


def trained(model: torch.nn.Module, processes: int, on_epoch=None, **changes):
    machine = choose_machine(device="cpu", precision="fp32", processes=processes)
    settings = {"machine": machine, "epochs": 2} | changes
    train, valid, unlabelled = corpus(97), corpus(60, seed=1), corpus(30, seed=2)  # last batch: one review
    return fit(model, train, valid, recipe(**settings), unlabelled=unlabelled, on_epoch=on_epoch)


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


def test_two_processes_take_the_steps_of_one_with_an_objective_over_unlabelled_reviews():
    objective = Objective(adversarial=1.0, entropy=0.5, unlabelled_batch_size=7)
    one, two = fresh(), fresh()
    alone, shared = (trained(model, count, objective=objective, ema=0.9) for model, count in ((one, 1), (two, 2)))
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(alone.history, shared.history, strict=True):
        for name in ("train/loss", "train/adversarial", "train/entropy", "valid/loss"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("raises", "^process 2 of the training failed:\n(.|\n)*ZeroDivisionError: the worker's own mistake"),
        ("killed", r"^process 2 of the training was ended by SIGKILL \(out of memory\?\)$"),
    ],
)
def test_the_process_that_failed_is_named_and_not_one_that_lost_it(how, cause):
    with pytest.raises(ProcessDied, match=cause):
        trained(FailsElsewhere(how, rank=2), 3)


@pytest.mark.parametrize(
    ("how", "cause"), [("raises", "ZeroDivisionError: cannot be unpickled"), ("killed", "ended by SIGKILL")]
)
def test_a_process_that_never_gets_ready_ends_all(how, cause):
    began = time.monotonic()
    with pytest.raises(ProcessDied, match=cause):
        trained(FailsToArrive(how), 2)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_what_ends_the_first_process_ends_the_others(raised):
    def on_epoch(metrics, epoch):
        raise raised

    with pytest.raises(raised):
        trained(fresh(), 2, on_epoch=on_epoch)


def test_divergence_is_the_same_error():
    with pytest.raises(TrainingDiverged):
        trained(fresh(), 2, optimizer=partial(torch.optim.SGD, lr=1e38))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_the_end_of_the_first_process_from_outside_ends_the_others(how, tmp_path):
    """kill -9, which lets it do nothing, and Ctrl-C, which the terminal sends to all: the first alone reacts."""
    (tmp_path / "program.py").write_text(
        "import multiprocessing, os, time\n"
        "from tiny import TinyModel; from test_processes import trained\n"
        "def wait(metrics, epoch):\n"
        "    (child,) = multiprocessing.active_children()\n"
        "    open('new', 'w').write(str(child.pid)); os.replace('new', 'child'); time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    trained(TinyModel(), 2, on_epoch=wait)\n"
    )
    paths = os.pathsep.join(path for path in [str(Path(__file__).parent), *sys.path] if path)
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "program.py"]
    parent = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_for((tmp_path / "child").exists)
        if how == "interrupted":
            os.killpg(parent.pid, signal.SIGINT)
            _, errors = parent.communicate(timeout=60)
            assert errors.count("Traceback") == 1
            assert errors.endswith("KeyboardInterrupt\n")
    finally:
        parent.kill()
        parent.communicate()
    stat = Path("/proc", (tmp_path / "child").read_text(), "stat")
    wait_for(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_for(condition, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


class LargeAndFailsToArrive(FailsToArrive):
    """More than a pipe holds."""

    def __init__(self) -> None:
        super().__init__("raises")
        self.register_buffer("much", torch.zeros(1_000_000))


def test_one_that_dies_before_it_has_read_its_work_is_told() -> None:
    with pytest.raises(ProcessDied, match="before it had begun"):
        trained(LargeAndFailsToArrive(), 2)


SCRIPT = """
import sentexp
{guard}sentexp.run(sentexp.compose("data.size=200", "trainer.epochs=1", "trainer.processes=2", "tracking=none"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [True, False])
def test_a_script_needs_its_main_guard_and_is_told_so(guarded: bool, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(guard="if __name__ == '__main__': " if guarded else ""))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "SENTEXP_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode == 0) is guarded, done.stderr
    if not guarded:
        assert done.stderr.count("a process of the training is running the script again; in a script") == 1
        last = done.stderr.splitlines()[-1]
        assert "process 1 of the training ended with status 1, before it had begun; in a script, what calls" in last
        assert len(list((tmp_path / "outputs").glob("*/*"))) <= 1
