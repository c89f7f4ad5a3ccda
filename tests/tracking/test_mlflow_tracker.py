from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from recorded_runs import artifact, recorded

from sentexp.errors import SentexpError
from sentexp.tracking.mlflow_run import MlflowRun
from sentexp.tracking.mlflow_tracker import MlflowTracker


def test_a_run_that_comes_to_its_end_is_finished(tracker: MlflowTracker) -> None:
    with tracker.run() as run:
        assert recorded(run).info.status == "RUNNING"
    found = recorded(run)
    assert found.info.status == "FINISHED"
    assert found.info.end_time >= found.info.start_time
    assert found.data.tags["study"] == "speed"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("the loss\nis lost, mysql://a:secret@b"), "FAILED"),
        (SentexpError("data.path=x: no such file"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
    ],
)
def test_an_exception_decides_the_status_and_goes_on(tracker: MlflowTracker, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)) as raised, tracker.run() as run:
        raise error
    assert raised.value is error
    assert recorded(run).info.status == status
    if status == "FAILED":
        assert recorded(run).data.tags["error"] == str(error).replace("secret", "***")
        assert f"{type(error).__name__}: " in artifact(run, "traceback.txt")
        assert "secret" not in artifact(run, "traceback.txt")
    else:
        assert "error" not in recorded(run).data.tags


def test_a_run_with_a_key_goes_on_and_forgets_how_it_ended(tracker: MlflowTracker) -> None:
    with pytest.raises(ValueError, match="lost"), tracker.run(name="a sweep", key="once") as first:
        raise ValueError("lost")
    with tracker.run(name="another", key="once") as again:
        assert again.run_id == first.run_id
        assert recorded(again).info.status == "RUNNING"
    found = recorded(again)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "a sweep")
    assert "error" not in found.data.tags
    with tracker.run(key="another key") as other:
        assert other.run_id != first.run_id


def test_a_parent_ends_what_its_children_could_not(tracker: MlflowTracker, store_uri: str) -> None:
    started = []  # kept, for a context that is let go of ends its run

    def start(parent: MlflowRun | None) -> MlflowRun:
        started.append(tracker.run(parent_run_id=parent.run_id if parent is not None else None))
        return started[-1].__enter__()

    with tracker.run() as parent:
        with tracker.run(parent_run_id=parent.run_id) as finished:
            pass
        with pytest.raises(KeyError), tracker.run(parent_run_id=parent.run_id) as failed:
            raise KeyError("its own words")
        killed, left, own = start(parent), start(parent), start(None)
        parent.end_child(finished.run_id, "returned nan")
        parent.end_child(failed.run_id, "other words")
        parent.end_child(killed.run_id, "out of memory")
        parent.end_children("interrupted")
        parent.add_failed_child("7 x=1", "refused")
    ends = {
        finished: ("FAILED", "returned nan"),
        failed: ("FAILED", "'its own words'"),
        killed: ("KILLED", "out of memory"),
        left: ("KILLED", "interrupted"),
        own: ("RUNNING", None),
    }
    for run, (status, error) in ends.items():
        assert (recorded(run).info.status, recorded(run).data.tags.get("error")) == (status, error)
    client = mlflow.MlflowClient(store_uri)
    (added,) = client.search_runs([recorded(parent).info.experiment_id], "attributes.run_name = '7 x=1'")
    assert (added.info.status, added.data.tags["error"]) == ("FAILED", "refused")
    assert added.data.tags["mlflow.parentRunId"] == parent.run_id


def test_an_error_is_not_hidden_by_a_store_that_is_gone(
    tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        with tracker.run() as run:
            monkeypatch.setattr(run._client, "log_batch", _refuse)
            raise ZeroDivisionError("the real reason")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "may look unfinished" in caplog.text


def _refuse(*args: object, **kwargs: object) -> None:
    raise mlflow.MlflowException("no answer")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, "KILLED"), (signal.SIGTERM, "KILLED")])
def test_a_signal_kills_the_run_in_the_record_too(store_uri: str, number: int, status: str) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))\n"
        "from sentexp.tracking.mlflow_tracker import MlflowTracker\n"
        "with MlflowTracker(sys.argv[1], experiment='signals').run() as run:\n"
        "    print(run.run_id, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", program, store_uri],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        process.send_signal(number)
        process.wait(60)
    assert mlflow.MlflowClient(store_uri).get_run(run_id).info.status == status


def test_a_run_whose_process_was_killed_is_recorded_so_by_the_next(store_uri: str) -> None:
    program = (
        "import os, signal, sys; from sentexp.tracking.mlflow_tracker import MlflowTracker\n"
        "with MlflowTracker(sys.argv[1], 'kills').run(name='killed'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, store_uri], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    with (
        MlflowTracker(store_uri, "kills").run(name="first"),
        MlflowTracker(store_uri, "kills").run(name="second") as second,
    ):
        client = mlflow.MlflowClient(store_uri)
        runs = client.search_runs([recorded(second).info.experiment_id])
        states = {run.info.run_name: (run.info.status, run.data.tags.get("error")) for run in runs}
    assert states == {
        "killed": ("KILLED", "its process was killed"),
        "first": ("RUNNING", None),
        "second": ("RUNNING", None),
    }


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_the_log_is_recorded_however_a_run_ends(
    tracker: MlflowTracker, tmp_path: Path, error: BaseException | None, status: str
) -> None:
    file = tmp_path / "sentexp.log"
    with contextlib.suppress(ValueError, KeyboardInterrupt), tracker.run(log_file=file) as run:
        file.write_text("epoch 1/1")
        if error is not None:
            raise error
    assert recorded(run).info.status == status
    assert artifact(run, "sentexp.log") == "epoch 1/1"


def test_a_name_is_cut_to_what_mlflow_keeps_and_holds_no_password(tracker: MlflowTracker) -> None:
    with tracker.run(name="path=https://anna:secret@b " + "x" * 300) as run:
        pass
    assert recorded(run).info.run_name.startswith("path=https://anna:***@b xxx")
    assert len(recorded(run).info.run_name) == 250


def test_a_run_can_have_a_parent_and_a_name(tracker: MlflowTracker, store_uri: str) -> None:
    with (
        tracker.run() as parent,
        MlflowTracker(store_uri, "tests", run_name="child").run(parent_run_id=parent.run_id) as child,
    ):
        pass
    assert recorded(child).data.tags["mlflow.parentRunId"] == parent.run_id
    assert child.location().run_name == recorded(child).info.run_name == "child"


def test_mlflows_own_active_run_and_address_are_left_alone(tracker: MlflowTracker) -> None:
    before = mlflow.get_tracking_uri()
    with tracker.run():
        assert mlflow.active_run() is None
        assert mlflow.get_tracking_uri() == before


def test_a_run_prints_and_logs_nothing(
    tracker: MlflowTracker, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), tracker.run() as run:
        run.log_metrics({"a": 1.0}, step=1)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_the_location_names_the_store_and_the_command_that_opens_it(tracker: MlflowTracker, store_uri: str) -> None:
    with tracker.run() as run:
        place = run.location()
    assert (place.uri, place.experiment, place.run_id) == (store_uri, "tests", run.run_id)
    assert place.ui_command.endswith(f"ui --backend-store-uri '{store_uri}'")  # quoted, for its space
    assert place.lines() == [
        f"look at it: {place.ui_command}",
        f"then open: http://127.0.0.1:5000/#/experiments/{place.experiment_id}/runs/{run.run_id}",
    ]


def test_importing_the_tracker_imports_no_mlflow() -> None:
    program = "import sys, sentexp.tracking.mlflow_tracker, sentexp.tracking.none; print('mlflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
