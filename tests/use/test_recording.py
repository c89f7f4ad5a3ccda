from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sentexp.runs import FoundRun
from sentexp.tracking.mlflow_tracker import MlflowTracker
from sentexp.tracking.recorded_runs import RecordedRun
from sentexp.use.judging import load_reviews
from sentexp.use.recording import child_of, log_data, run_about

COMPARED = {"what": "compare", "role": "compared"}


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('a store')}/mlflow.db"


@pytest.fixture(scope="module")
def found(uri: str) -> FoundRun:
    with MlflowTracker(uri, "films").run(name="parent") as run:
        location = run.location()
    entry = RecordedRun(location.run_id, "parent", "films", datetime.now(), "m", "FINISHED")
    return FoundRun(Path("model"), "parent", entry)


def test_an_evaluation_is_a_child_of_its_run_and_says_by_what_it_judged(uri: str, found: FoundRun, config) -> None:
    own = config()
    with child_of(found, uri, "evaluate data=files") as record:
        log_data(record, own, ["data=files"], load_reviews(own), "data")
        run_id = record.location().run_id
    run = MlflowClient(uri).get_run(run_id)
    assert run.data.tags["mlflow.parentRunId"] == found.recorded.run_id
    assert (run.info.run_name, run.info.status) == ("evaluate data=files", "FINISHED")
    assert run.data.params["data.seed"] == "0"
    assert "trainer.epochs" not in run.data.params
    contexts = {one.tags[0].value for one in run.inputs.dataset_inputs}
    assert contexts == {"validation", "test"}
    assert run.info.experiment_id == MlflowClient(uri).get_run(found.recorded.run_id).info.experiment_id


def test_the_model_of_a_folder_has_no_run_to_be_recorded_with(uri: str) -> None:
    with child_of(FoundRun(Path("model"), "./model"), uri, "evaluate") as record:
        assert record.location() is None


def test_a_comparison_is_a_run_that_names_all_runs(uri: str, found: FoundRun) -> None:
    folder = FoundRun(Path("model"), "./model")
    with run_about([folder, found], uri, None, **COMPARED) as record:
        location = record.location()
    run = MlflowClient(uri).get_run(location.run_id)
    assert (run.info.run_name, location.experiment) == ("compare ./model, parent", "films")
    assert run.data.tags["compared.1"] == "./model"
    assert run.data.tags["compared.2"] == found.recorded.run_id
    assert "mlflow.parentRunId" not in run.data.tags
    with run_about([folder, folder], uri, "books", **COMPARED) as record:
        assert record.location().experiment == "books"
